"""The recording schema: what is recorded, over which dimensions, in which unit. One table; the files and docs follow it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

SCHEMA_VERSION = "2"

LAGS = (1, 2, 4, 8, 16, 32)
"""Steps back, of the coordinate `lag`."""
RECEIVED_WINDOW = 20
"""Queries after a token over which `received` is a mean."""

COORDINATES = {
    "arm": "name of the arm: the baseline, or a method with its options",
    "image": "the item's image_id, unique in a recording",
    "step": "0 is the prompt's last position, which predicts the first new token; t >= 1 is the t-th generated token fed",
    "layer": "number of the decoder layer, from 0",
    "head": "number of the query head",
    "group": "bos, system, image, prompt, generated, self (the newest position itself)",
    "channels": "all, or masked: without the sink channels that the attribute sink_channels lists by layer",
    "object": "name of an object of the vocabulary; the attribute objects lists its first tokens",
    "lag": "steps back: 1, 2, 4, 8, 16, 32",
}

CELL = ("arm", "image", "step", "layer")
TOKEN = ("arm", "image", "step")
CAPTION = ("arm", "image")


class InvalidRecording(ValueError):
    """A dataset breaks the schema; the message says where."""


@dataclass(frozen=True)
class Variable:
    """One variable of a recording.

    Attributes
    ----------
    dims : in this order
    dtype : "float32" (NaN where a value does not exist), "int64" (-1) or "str" ("")
    unit : as in the attribute `units`
    description : one line
    """

    dims: tuple[str, ...]
    dtype: str
    unit: str
    description: str

    @property
    def fill(self) -> float | int | str:
        """What stands where a value does not exist."""
        fills: dict[str, float | int | str] = {"float32": float("nan"), "int64": -1, "str": ""}
        return fills[self.dtype]


def _real(dims: tuple[str, ...], unit: str, description: str) -> Variable:
    return Variable(dims, "float32", unit, description)


VARIABLES: dict[str, Variable] = {
    "row_entropy": _real((*CELL, "head"), "nat", "entropy of the newest token's attention row, the row that the step's output used"),
    "n_keys": _real(CELL, "1", "keys that the newest token can see in this layer; ln of it bounds the entropy"),
    "mass": _real((*CELL, "head", "group"), "1", "share of the newest token's attention on each group; sums to one over groups"),
    "group_keys": _real((*CELL, "group"), "1", "visible keys of each group; group_keys / n_keys is what uniform attention would give"),
    "drift_step": _real((*CELL, "channels"), "rad", "angle of the layer's output to that of the step before; from step 1 on"),
    "drift_image": _real((*CELL, "channels"), "rad", "angle to the mean of the same layer's output over the image positions of the prompt"),
    "drift_prompt": _real((*CELL, "channels"), "rad", "angle to the same layer's output at the prompt's last position; 0 at step 0"),
    "drift_mean": _real(CELL, "rad", "angle to the mean of the same layer's output over the generated tokens before; from step 2 on"),
    "norm_hidden": _real(CELL, "1", "L2 norm of the layer's output for the newest token"),
    "norm_key": _real(CELL, "1", "root mean square over key/value heads of the newest key's L2 norm, as cached before smoothing"),
    "norm_value": _real(CELL, "1", "the same of the newest value"),
    "rate": _real(CELL, "1", "rate of the exponential moving average applied to the newest token; NaN where nothing was smoothed"),
    "change_key": _real(CELL, "1", "norm of the newest key's change by smoothing, relative to the raw key, over all key/value heads"),
    "change_value": _real(CELL, "1", "the same of the newest value"),
    "received": _real(CELL, "1", "mean attention of the next received_window queries on the fed token, over heads; NaN where fewer follow"),
    "displacement": _real((*CELL, "lag"), "1", "squared L2 distance of the layer's output from that `lag` steps before"),
    "increment_product": _real((*CELL, "lag"), "1", "product of the output's last increment with the increment `lag` steps before"),
    "patch_cosine": _real(CELL, "1", "largest cosine of the layer's output with that layer's output at one of the image's positions"),
    "jump_key": _real(CELL, "1", "L2 norm of the newest key minus the one before, over all key/value heads, as cached before smoothing"),
    "jump_value": _real(CELL, "1", "the same of the newest value"),
    "jump_key_smoothed": _real(CELL, "1", "jump_key between keys as smoothing left them in the cache; NaN where nothing was smoothed"),
    "jump_value_smoothed": _real(CELL, "1", "the same of the values"),
    "layer_object_logprob": _real((*CELL, "object"), "nat", "object_logprob read from the layer's output by final norm and unembedding"),
    "layer_object_rank": _real((*CELL, "object"), "1", "object_rank read from the layer's output by final norm and unembedding"),
    "log_probability": _real(TOKEN, "nat", "log-probability of the predicted token under the model's own distribution"),
    "object_logit": _real((*TOKEN, "object"), "1", "logit of the most probable of the object's first tokens"),
    "object_logprob": _real((*TOKEN, "object"), "nat", "log of the summed probability of the object's different first tokens"),
    "object_rank": _real((*TOKEN, "object"), "1", "1 + tokens of the vocabulary with a logit above object_logit"),
    "logit_mean": _real(TOKEN, "1", "mean of the logits over the vocabulary"),
    "logit_variance": _real(TOKEN, "1", "variance of the logits over the vocabulary"),
    "dependency_jsd": _real(TOKEN, "nat", "Jensen-Shannon divergence of the next-token distributions with and without image; at most ln 2"),
    "dependency_hellinger": _real(TOKEN, "1", "Hellinger distance of the same two distributions; at most 1"),
    "token_fed": Variable(TOKEN, "int64", "1", "id of the token whose position the step is"),
    "token_predicted": Variable(TOKEN, "int64", "1", "id of the token that the step chose (free) or was given (replay)"),
    "piece_fed": Variable(TOKEN, "str", "1", "token_fed as the tokenizer's piece"),
    "piece_predicted": Variable(TOKEN, "str", "1", "token_predicted as the tokenizer's piece"),
    "position_fed": Variable(TOKEN, "int64", "1", "position of token_fed in its own sequence without padding, from 0"),
    "n_steps": Variable(CAPTION, "int64", "1", "steps of the caption, the one that predicted its end included"),
    "caption": Variable(CAPTION, "str", "1", "the predicted tokens as text, special tokens left out"),
    "file_name": Variable(CAPTION, "str", "1", "of the image's file, without its folder; empty where the image came without a file"),
}

ATTRIBUTES: dict[str, str] = {
    "schema_version": "of this table",
    "git_commit": "of the code; -dirty where tracked code differed",
    "versions": "JSON: Python and packages",
    "model_id": "name of the subject",
    "model_revision": "hub commit, or a hash of the model's files on disk",
    "dtype": "of the weights",
    "attention_implementation": "of the decoder",
    "config": "JSON: the full configuration of the recording and the arm's options",
    "seed": "of sampling; greedy recordings do not use it",
    "data_hash": "of the items: images, prompts and ids",
    "regime": "free or replay",
    "batch_size": "items a batch; chunks of the item list are fixed by it",
    "device": "cpu or cuda",
    "sink_channels": "JSON: by layer, the channels that masked drift leaves out",
    "objects": "JSON: by object of the vocabulary its first tokens, and which share one or cannot be said; or empty",
    "received_window": "queries after a token over which `received` is a mean",
    "created_by": "the command or function",
}


def schema_table() -> str:
    """The table of variables in Markdown, as docs/recording.md shows it."""
    rows = ["| variable | dimensions | type | unit | what it is |", "|---|---|---|---|---|"]
    rows += [f"| `{name}` | {' '.join(v.dims)} | {v.dtype} | {v.unit} | {v.description} |" for name, v in VARIABLES.items()]
    return "\n".join(rows)


def as_dataset(arrays: Mapping[str, np.ndarray], coordinates: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> xr.Dataset:
    """Arrays in the schema's dimensions as a dataset with units and descriptions; attributes become text."""
    variables = {}
    for name in VARIABLES:
        if name in arrays:
            law = VARIABLES[name]
            dtype = object if law.dtype == "str" else law.dtype
            variables[name] = (law.dims, np.asarray(arrays[name]).astype(dtype), {"units": law.unit, "long_name": law.description})
    coords = {
        name: ((name,), np.asarray(coordinates[name]), {"long_name": COORDINATES[name]}) for name in COORDINATES if name in coordinates
    }
    return xr.Dataset(variables, coords, {name: str(value) for name, value in attributes.items()})


def validate(recording: xr.Dataset) -> xr.Dataset:
    """Return the recording if it keeps the schema.

    Raises
    ------
    InvalidRecording : names the variable and the law that it breaks
    """
    for name in ATTRIBUTES.keys() - recording.attrs.keys():
        raise InvalidRecording(f"Recording.attrs must hold {name} ({ATTRIBUTES[name]}); it is missing.")
    for unknown in recording.coords.keys() - COORDINATES.keys():
        raise InvalidRecording(f"Recording has the coordinate {unknown}, which the schema does not know.")
    if "step" not in recording.coords or not np.array_equal(recording.step.values, np.arange(recording.sizes["step"])):
        raise InvalidRecording("Recording.step must count from 0 without gaps.")
    if {"n_steps", "token_predicted"} - set(recording.data_vars):
        raise InvalidRecording("Recording must hold n_steps and token_predicted.")
    for variable, data in recording.data_vars.items():
        _validate_form(str(variable), data)
    _validate_values({str(name): data.values for name, data in recording.data_vars.items()})
    return recording


def _validate_form(name: str, data: xr.DataArray) -> None:
    law = VARIABLES.get(name)
    if law is None:
        raise InvalidRecording(f"Recording.{name} is not a variable of the schema.")
    if data.dims != law.dims:
        raise InvalidRecording(f"Recording.{name} must have the dimensions {law.dims}; got {data.dims}.")
    if law.dtype != "str" and data.dtype != np.dtype(law.dtype):
        raise InvalidRecording(f"Recording.{name} must be {law.dtype}; got {data.dtype}.")
    if data.attrs.get("units") != law.unit:
        raise InvalidRecording(f"Recording.{name} must have the unit {law.unit}; got {data.attrs.get('units')}.")


def _validate_values(values: Mapping[str, np.ndarray]) -> None:
    # on bare arrays: the same in xarray takes as long as writing the file; comparisons with NaN are false, so gaps pass
    ended = np.arange(values["token_predicted"].shape[2]) >= values["n_steps"][..., None]
    for name, value in values.items():
        if VARIABLES[name].dtype == "float32" and not np.isnan(value[ended]).all():
            raise InvalidRecording(f"Recording.{name} must be NaN after a caption's last step.")
    if "mass" in values and (np.abs(values["mass"].sum(-1) - 1) > 1e-3).any():
        raise InvalidRecording("Recording.mass must sum to one over groups.")
    if "row_entropy" in values and "n_keys" in values:
        entropy, bound = values["row_entropy"], np.log(values["n_keys"])[..., None] + 1e-3
        if ((entropy < -1e-3) | (entropy > bound)).any():
            raise InvalidRecording("Recording.row_entropy must lie between 0 and ln n_keys.")
