"""Finished cells -> the reduced data: counts, mentions and seconds of every cell, by image."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from analysis.cells.cells import Cell
from analysis.cells.measures import COUNTS, padded, spoken
from probes.command.strict_json import as_json


def reduced(
    cells: Sequence[Cell],
    results: Sequence[Mapping[str, Any]],
    images: Sequence[int],
    truth: Sequence[frozenset[str]],
    provenance: Mapping[str, Any],
) -> xr.Dataset:
    """Counts "cell image count", mentions "cell image mention" and seconds "cell" of finished cells."""
    said = [spoken(result, truth) for result in results]
    width = max([1, *(one.absent.shape[1] for one in said)])
    absent, word = (np.stack([padded([row.tolist() for row in getattr(one, part)], width) for one in said]) for part in ("absent", "word"))
    return xr.Dataset(
        {
            "counts": (("cell", "image", "count"), np.stack([one.counts for one in said]).astype(np.float32)),
            "absent": (("cell", "image", "mention"), absent.astype(np.int8), {"meaning": "1 not in the image, 0 in it, -1 no mention"}),
            "word": (("cell", "image", "mention"), word, {"meaning": "which word of the caption, from 0; -1 no mention"}),
            "seconds": ("cell", np.array([result["seconds"] for result in results]), {"units": "s", "meaning": "wall time of the cell"}),
        },
        coords={"cell": [cell.name for cell in cells], "image": list(images), "count": list(COUNTS)},
        attrs={
            "cells": json.dumps([{"name": cell.name, "family": cell.family, "options": cell.options} for cell in cells]),
            "analysis": as_json(provenance),
        },
    )
