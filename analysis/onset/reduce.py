"""Recording -> onset.nc: first mentions with their scores, sums by image of the aligned curves; texts are never paired token by token."""

import json
from collections.abc import Mapping

import numpy as np
import pandas
import xarray as xr

from analysis.onset.align import OFFSETS, PLACES, matched, permuted, simultaneous, sums, windows
from analysis.onset.matching import sentence_numbers
from analysis.onset.names import ALIGNED, REACH, SCORES, STRATUM
from analysis.onset.series import first_mentions, scores, series
from analysis.question.arms import ARMS
from analysis.question.recordings import band

PLACED = ("arm_index", "image_index", "step", "ordinal", "sentence", "word")
"""Columns of mentions that are kept as whole numbers."""


def reduce(recording: xr.Dataset, table: pandas.DataFrame, *, min_steps: int = 8, seed: int = 0, level: float = 0.95) -> xr.Dataset:
    """The reduced data of free captions.

    Parameters
    ----------
    recording : merged, regime free, arms in the order of ARMS
    table : its mentions, as `analysis.captions.mentions.mention_table` makes it
    min_steps : images with a shorter caption in either arm are left out

    Variables
    ---------
    score "mention score_name" (times its sign, see names.SCORES); entropy "mention layer"; absent, arm_index, image_index, step, ordinal,
    sentence (of the caption), word (the same number for the same object) "mention"; sums "arm quantity part image place"; raw "arm
    quantity side offset" (means of hallucinated and of true first mentions of the same positions, as recorded); null_low, null_high
    (pointwise), null_width (simultaneous), null_mean, p_permutation "arm quantity place"; n_steps, first_absent (step; -1: none), cut (at
    the longest length) "arm image"; unmatched "arm".
    """
    recording = recording.reindex(arm=list(ARMS), fill_value={name: "" for name, v in recording.items() if v.dtype.kind in "OUT"})
    in_band = np.isin(recording["layer"].values, band({"free": recording}))
    n_steps = np.nan_to_num(recording["n_steps"].transpose("arm", "image").values).astype(int)
    recorded = n_steps > 0
    enough = (n_steps >= min_steps) | ~recorded
    used = np.flatnonzero(enough.all(axis=0) & recorded.any(axis=0))
    mentions = first_mentions(table, recording, used)
    mentions["sentence"] = sentence_numbers(recording, mentions)
    mentions["word"] = np.unique(mentions["object"].astype(str), return_inverse=True)[1]
    values, entropy = scores(recording, mentions, in_band)
    curves = series(recording, in_band)
    names = [name for name in ALIGNED if name in curves]
    images = recording.sizes["image"]
    kept = np.zeros((len(ARMS), len(names), 4, images, len(PLACES)))
    null = np.full((len(ARMS), len(names), 5, len(PLACES)), np.nan)
    raw = np.full((len(ARMS), len(names), 2, len(OFFSETS)), np.nan)
    unmatched = np.zeros(len(ARMS), dtype=np.int32)
    for arm in range(len(ARMS)):
        own = mentions[mentions["arm_index"] == arm]
        for number, name in enumerate(names):
            if not len(own):
                continue
            found = matched(curves[name][arm], own)
            unmatched[arm] = int((found.absent & (found.weight == 0)).sum())
            kept[arm, number] = sums(found, images)
            null[arm, number] = _null(found, kept[arm, number], seed, level)
            raw[arm, number] = _raw(curves[name][arm], own, found.weight)
    return _dataset(recording, mentions, values, entropy, names, kept, null, raw, unmatched, n_steps, table, used).assign_attrs(
        _attributes(recording, table, mentions, n_steps, enough, min_steps, seed, level)
    )


def _null(found, parts: np.ndarray, seed: int, level: float) -> np.ndarray:
    null = permuted(found, seed=seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = parts.sum(axis=1)
        seen = total[0] / total[1] - total[2] / total[3]
        spread = null.std(axis=0)
        z = np.abs(null - null.mean(axis=0)) / spread
        own = np.abs(seen - null.mean(axis=0)) / spread
    largest = np.nan_to_num(z[:, : len(OFFSETS)]).max(axis=1)
    p = (1 + (largest[:, None] >= own - 1e-9).sum(axis=0)) / (1 + len(null))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(null, [tail, 100 - tail], axis=0)
    return np.stack([low, high, simultaneous(null, level), null.mean(axis=0), np.where(np.isfinite(own), p, np.nan)])


def _raw(values: np.ndarray, own: pandas.DataFrame, weight: np.ndarray) -> np.ndarray:
    """Mean curves as recorded, no mean taken off: hallucinated, and true mentions weighted to the same positions."""
    found = windows(values, own)[:, : len(OFFSETS)]
    absent = own["absent"].values.astype(bool)
    made = []
    for side in (absent, ~absent):
        share = (weight * side)[:, None] * np.isfinite(found)
        with np.errstate(invalid="ignore", divide="ignore"):
            made.append((share * np.nan_to_num(found)).sum(axis=0) / share.sum(axis=0))
    return np.stack(made)


def _dataset(recording, mentions, values, entropy, names, kept, null, raw, unmatched, n_steps, table, used) -> xr.Dataset:
    first = np.full(n_steps.shape, -1, dtype=np.int32)
    hits = mentions[mentions["absent"]].drop_duplicates(["arm_index", "image_index"])
    first[hits["arm_index"], hits["image_index"]] = hits["step"]
    cells = ("arm", "quantity", "place")
    taking = np.isin(np.arange(n_steps.shape[1]), used)
    found = {
        "score": (("mention", "score_name"), values.astype(np.float32)),
        "entropy": (("mention", "layer"), entropy.astype(np.float32)),
        **{name: (("mention",), mentions[name].values.astype(np.int32)) for name in PLACED},
        "absent": (("mention",), mentions["absent"].values.astype(np.int8)),
        "sums": (("arm", "quantity", "part", "image", "place"), kept.astype(np.float32)),
        **{name: (cells, null[:, :, i].astype(np.float32)) for i, name in enumerate(("null_low", "null_high", "null_width", "null_mean"))},
        "p_permutation": (cells, null[:, :, 4].astype(np.float32)),
        "raw": (("arm", "quantity", "side", "offset"), raw.astype(np.float32)),
        "unmatched": (("arm",), unmatched),
        "n_steps": (("arm", "image"), np.where(taking, n_steps, 0).astype(np.int32)),
        "cut": (("arm", "image"), (n_steps >= _longest(recording)).astype(np.int8)),
        "first_absent": (("arm", "image"), np.where(taking, first, -1).astype(np.int32)),
    }
    coords = {"arm": list(ARMS), "image": recording["image"].values, "layer": recording["layer"].values, "score_name": list(SCORES)}
    coords |= {"quantity": names, "place": list(PLACES), "offset": OFFSETS, "side": ["hallucinated", "true"]}
    coords["part"] = ["hallucinated", "hallucinated_weight", "true", "true_weight"]
    return xr.Dataset(found, coords)


def _longest(recording: xr.Dataset) -> int:
    """Tokens at which captions were cut off; longer than any where the recording does not say."""
    try:
        return int(json.loads(recording.attrs["config"])["max_new_tokens"])
    except (KeyError, TypeError, ValueError):
        return int(recording.sizes["step"]) + 1


def _attributes(recording, table, mentions, n_steps, enough, min_steps, seed, level) -> Mapping[str, object]:
    attributes = {name: value for name, value in recording.attrs.items() if name != "regime"}
    images = recording["image"].values
    about = {
        "mentions": {arm: int((table["arm"] == arm).sum()) for arm in ARMS},
        "repeated": {arm: int(((table["arm"] == arm) & (table["repeated"] > 1)).sum()) for arm in ARMS},
        "first": {arm: int((mentions["arm_index"] == i).sum()) for i, arm in enumerate(ARMS)},
        "hallucinated": {arm: int(((mentions["arm_index"] == i) & mentions["absent"]).sum()) for i, arm in enumerate(ARMS)},
        "too_short": [int(image) for image in images[~enough.all(axis=0)]],
    }
    return attributes | {
        "counted": json.dumps(about),
        "band": json.dumps(band({"free": recording})),
        "min_steps": min_steps,
        "seed": seed,
        "level": level,
        "stratum": STRATUM,
        "reach": REACH,
    }
