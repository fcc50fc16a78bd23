"""How sinks.nc holds its numbers: small, and in what precision."""

from typing import Any

import numpy as np
import xarray as xr

STEP = 1e-4
"""To which correlations and overlaps of images are kept, a hundredth of what one image's sampling error is."""
_STEPPED = ("spearman", "jaccard", "by_head")


def encoding(reduced: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Values by image to `STEP`, others in single precision; compressed."""
    made: dict[str, dict[str, Any]] = {}
    for name, values in reduced.data_vars.items():
        if values.dtype.kind == "f":
            made[str(name)] = {"zlib": True, "complevel": 9, "shuffle": True, "dtype": "float32"}
            if name in _STEPPED:
                made[str(name)] |= {"dtype": "int16", "scale_factor": STEP, "_FillValue": np.int16(-32768)}
    return made


def in_double(reduced: xr.Dataset) -> xr.Dataset:
    """What was read, in double precision: sums over images are.

    Raises
    ------
    KeyError : it lacks a part that a run of today makes
    """
    _ = reduced["rank_of"]
    return reduced.assign({name: reduced[name].astype(float) for name in reduced.data_vars if reduced[name].dtype.kind == "f"})
