"""Captions counted without a model: cells whose hallucinations are drawn with known rates."""

import json

import numpy as np
import xarray as xr

from analysis.cells.arms import Arms
from analysis.cells.measures import COUNTS


def arms(rates, *, images=60, mentions=8, seed=0, families=None, lengths=None, rate=None):
    """Cells by name -> probability that a mention is hallucinated; images share a difficulty, so that arms are paired.

    `lengths`: mentions a caption by cell; `rate`: realised mean rate by cell.
    """
    draw = np.random.default_rng(seed)
    difficulty = draw.normal(0, 0.6, images)
    widest = max((lengths or {}).get(name, mentions) for name in rates)
    counts, absent = np.zeros((len(rates), images, len(COUNTS))), np.full((len(rates), images, widest), -1, dtype=np.int16)
    for c, (name, p) in enumerate(rates.items()):
        m = (lengths or {}).get(name, mentions)
        odds = np.log(p / (1 - p)) + difficulty
        gone = draw.random((images, m)) < (1 / (1 + np.exp(-odds)))[:, None]
        absent[c, :, :m] = gone
        first = np.where(gone.any(1), gone.argmax(1) + 1, m)
        held = {
            "captions": 1, "hallucinating": gone.any(1), "mentions": m, "hallucinated": gone.sum(1), "recalled": (~gone).sum(1),
            "truth": m + 1, "objects": m, "length": 5 * m, "at_risk": first, "sentences": m, "repeated": 0, "ended": 1, "tokens": 5 * m,
            "steps": 5 * m - 1, "rate": (rate or {}).get(name, 0.0) * (5 * m - 1),
        }  # fmt: skip
        for key, value in held.items():
            counts[c, :, COUNTS.index(key)] = value
    word = np.where(absent >= 0, 5 * np.arange(widest)[None, None], -1).astype(np.int16)
    families = families or {}
    return Arms(tuple(rates), tuple(families.get(name, "ladder") for name in rates), counts, absent, word)


def dataset(of):
    """The arms as the reduced data that the command writes."""
    return xr.Dataset(
        {
            "counts": (("cell", "image", "count"), of.counts.astype(np.float32)),
            "absent": (("cell", "image", "mention"), of.absent.astype(np.int8)),
            "word": (("cell", "image", "mention"), of.word),
            "seconds": ("cell", np.arange(1.0, len(of.names) + 1)),
        },
        coords={"cell": list(of.names), "image": np.arange(of.images), "count": list(COUNTS)},
        attrs={"cells": json.dumps([{"name": n, "family": f, "options": {}} for n, f in zip(of.names, of.families, strict=True)])},
    )
