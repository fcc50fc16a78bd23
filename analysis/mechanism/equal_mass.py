"""Biases of the image that give it the attention that KVSmooth gives it, on the same tokens: the mechanism's cause without its smoothing.

If more attention on the image were what matters, these would do what KVSmooth does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.cells.names import BASELINE, PAPER
from kvsmooth.baselines import ImageBias
from probes.command.cli import BadInput

if TYPE_CHECKING:
    from kvsmooth import KVSmooth
    from probes.subjects import Item, Subject

ROUNDS = 3
"""Of finding a bias and looking at what it gives: a layer's attention follows from what the layers below it did."""
MOST = 12.0
"""Logits; a head that never looks at the image gets no more."""


def biases(subject: "Subject", items: Sequence["Item"], paper: "KVSmooth", folder: Path, **options: Any) -> dict[str, ImageBias]:
    """One bias for all heads, and one for each, in the smoothed layers; by the name of their arm.

    Parameters
    ----------
    paper : the method whose attention on the image is to be had
    folder : of the recordings of each round
    options : of `record`

    Raises
    ------
    BadInput : no caption has a token at which a bias could be found
    """
    from probes.session import record

    told, band = {**options, "recorders": ("mass",)}, paper.band(len(subject.tracing.layers))
    first = record(subject, items, {BASELINE: None, PAPER: paper}, "replay", folder / "0", **told)
    captions = spoken(first)
    wanted = on_image(first.sel(arm=PAPER), band)
    if not len(wanted):
        raise BadInput(f"subject {subject.name}: no caption has a second token, so that nothing is smoothed; give more images or tokens.")
    shape = wanted.shape[1:]
    found = {"image_bias": np.zeros(shape), "image_bias_heads": np.zeros(shape)}
    seen: Mapping[str, np.ndarray] = dict.fromkeys(found, on_image(first.sel(arm=BASELINE), band))
    for number in range(1, ROUNDS + 1):
        columns = {"image_bias": (-1, 1), "image_bias_heads": (len(wanted), -1)}
        found = {name: corrected(bias, seen[name].reshape(columns[name]), wanted.reshape(columns[name])) for name, bias in found.items()}
        arms = {name: ImageBias(tuple(tuple(map(float, layer)) for layer in bias), tuple(band)) for name, bias in found.items()}
        if number < ROUNDS:
            looked = record(subject, items, arms, "replay", folder / str(number), captions=captions, **told)
            seen = {name: on_image(looked.sel(arm=name), band) for name in arms}
    return arms


def on_image(arm: xr.Dataset, band: Sequence[int]) -> Float[np.ndarray, "token layer head"]:
    """Attention on the image at every token of every caption but its first."""
    mass = arm["mass"].sel(group="image", layer=list(band)).transpose("image", "step", "layer", "head").values.astype(float)[:, 1:]
    return mass[np.isfinite(mass).all((2, 3))]


def corrected(
    bias: Float[np.ndarray, "layer head"], seen: Float[np.ndarray, "token column"], wanted: Float[np.ndarray, "token column"]
) -> Float[np.ndarray, "layer head"]:
    """The bias with what is missing under it, within +-`MOST`: beyond, a later round would have to take back what never was applied."""
    moved = shift(seen, wanted)
    return np.clip(bias + (moved if len(moved) == 1 else moved.reshape(bias.shape)), -MOST, MOST)


def shift(seen: Float[np.ndarray, "token head"], wanted: Float[np.ndarray, "token head"]) -> Float[np.ndarray, " head"]:
    """The bias that brings the mean of each column of `seen` to that of `wanted`: in logits, as exp(bias) multiplies a row's odds."""
    odds, target = np.log(np.clip(seen, 1e-12, 1 - 1e-12)) - np.log1p(-np.clip(seen, 1e-12, 1 - 1e-12)), wanted.mean(0)
    low, high = np.full(target.shape, -MOST), np.full(target.shape, MOST)
    for _ in range(50):
        middle = (low + high) / 2
        less = (1 / (1 + np.exp(-(odds + middle)))).mean(0) < target
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return (low + high) / 2


def spoken(recording: xr.Dataset) -> dict[int, list[int]]:
    """The tokens that every arm was fed, by image."""
    tokens = recording["token_predicted"].isel(arm=0).transpose("image", "step").values
    lengths = recording["n_steps"].isel(arm=0).values
    return {
        int(image): [int(token) for token in row[: int(n)]]
        for image, row, n in zip(recording["image"].values, tokens, lengths, strict=True)
    }
