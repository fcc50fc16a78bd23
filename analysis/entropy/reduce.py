"""Recordings -> entropy.nc: numbers of images, by class, layer, head and lag; no tokens."""

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

from analysis.entropy.classes import reduce_classes
from analysis.entropy.distance import reduce_distance
from analysis.entropy.random_walk import reduce_walk
from analysis.entropy.tokens import classes
from analysis.question.arms import ARMS
from analysis.question.recordings import band

VARIABLES = (
    "row_entropy",
    "n_keys",
    "rate",
    "drift_step",
    "drift_image",
    "drift_prompt",
    "drift_mean",
    "displacement",
    "increment_product",
    "piece_fed",
    "n_steps",
    "token_predicted",
)
"""What is read of the recordings."""


def reduce(recordings: Mapping[str, xr.Dataset], *, min_steps: int = 8, seed: int = 0, level: float = 0.95) -> xr.Dataset:
    """Token classes and distances from the replay, where both arms have the same tokens; the walk from both regimes.

    Parameters
    ----------
    recordings : regime name -> merged recording
    min_steps : captions with fewer steps are left out, and listed in `too_short`
    seed : of the circular shifts
    """
    layers = next(iter(recordings.values()))["layer"].values
    in_band = np.isin(layers, band(recordings))
    parts, short = [], {}
    for regime, recording in recordings.items():
        recording = _both_arms(recording)
        steps = recording["n_steps"].transpose("arm", "image").values
        recorded = np.isfinite(steps) & (steps > 0)
        few = recorded & (steps < min_steps)
        short[regime] = [int(image) for image in recording["image"].values[few.any(axis=0)]]
        if {"displacement", "increment_product"} <= set(recording):
            parts.append(reduce_walk(recording, in_band, min_steps).expand_dims(regime=[regime]))
    reduced = xr.merge([xr.concat(parts, "regime", join="outer")]) if parts else xr.Dataset()
    shared = next((regime for regime in ("replay", "free") if regime in recordings), None)
    recording = recordings[shared].reindex(
        arm=list(ARMS), fill_value={n: "" for n, v in recordings[shared].items() if v.dtype.kind in "OUT"}
    )
    token_class = classes(recording)
    few = np.nan_to_num(recording["n_steps"].transpose("arm", "image").values) < min_steps
    token_class[few] = -1
    reduced = reduced.merge(reduce_classes(recording, token_class, in_band)).merge(
        reduce_distance(recording, token_class, in_band, seed=seed)
    )
    attributes = {name: value for found in recordings.values() for name, value in found.attrs.items() if name != "regime"}
    reduced.attrs = attributes | {"band": json.dumps(band(recordings)), "too_short": json.dumps(short), "min_steps": min_steps}
    reduced.attrs |= {"classes_of": shared, "seed": seed, "level": level}
    return reduced


def _both_arms(recording: xr.Dataset) -> xr.Dataset:
    """The recording with both arms, in their order; one that was not recorded is empty."""
    return recording.reindex(arm=list(ARMS), fill_value={name: "" for name, values in recording.items() if values.dtype.kind in "OUT"})
