"""The reduced data of the ablation: counts and mentions of every cell's captions by image, in one small netCDF file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analysis.ablation.cells import Cell
from analysis.ablation.measures import COUNTS, padded, spoken
from probes.cli import BadInput
from probes.files import atomic_write
from probes.provenance import as_json


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


def write_reduced(data: xr.Dataset, path: Path) -> None:
    """Write compressed netCDF, whole or not at all."""
    packed = {"zlib": True, "complevel": 9, "shuffle": True}
    with atomic_write(path) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf", encoding=dict.fromkeys(("counts", "absent", "word"), packed))


def read_reduced(path: Path) -> xr.Dataset:
    """Read the reduced data.

    Raises
    ------
    BadInput : the file is missing or damaged
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file to redraw from; run python -m analysis.ablation without --redraw first.")
    try:
        found = xr.load_dataset(path, engine="h5netcdf")
        json.loads(found.attrs["cells"]), json.loads(found.attrs["analysis"]), found["counts"], found["absent"], found["word"]
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__}); run python -m analysis.ablation without --redraw.") from error
    return found
