"""The format of ablation.nc: counts and mentions of every cell's captions by image; and the check that a file has it."""

import json
from typing import Any

import xarray as xr


def encoding(data: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Compressed without loss, but for the few numbers that every cell has one of."""
    return {str(name): {"zlib": True, "complevel": 9, "shuffle": True} for name in data.data_vars if name != "seconds"}


def checked(data: xr.Dataset) -> xr.Dataset:
    """The data as they are.

    Raises
    ------
    KeyError, ValueError : they are of something else
    """
    json.loads(data.attrs["cells"]), json.loads(data.attrs["analysis"]), data["counts"], data["absent"], data["word"]
    return data
