"""sinks.nc, written whole and small, read with one-line errors."""

from pathlib import Path

import numpy as np
import xarray as xr

from probes.cli import BadInput
from probes.files import atomic_write

STEP = 1e-4
"""To which correlations and overlaps of images are kept, a hundredth of what one image's sampling error is."""
_STEPPED = ("spearman", "jaccard", "by_head")


def write_reduced(reduced: xr.Dataset, path: Path) -> None:
    """Write compressed netCDF, whole or not at all; values by image to `STEP`, others in single precision."""
    encoding = {}
    for name, values in reduced.data_vars.items():
        if values.dtype.kind == "f":
            encoding[name] = {"zlib": True, "complevel": 9, "shuffle": True, "dtype": "float32"}
            if name in _STEPPED:
                encoding[name] |= {"dtype": "int16", "scale_factor": STEP, "_FillValue": np.int16(-32768)}
    with atomic_write(path) as temporary:
        reduced.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)


def read_reduced(path: Path) -> xr.Dataset:
    """Read the reduced data.

    Raises
    ------
    BadInput : the file is missing or damaged
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file to redraw from; run python -m analysis.sinks without --redraw first.")
    try:
        found = xr.load_dataset(path, engine="h5netcdf")
        return found.assign({name: found[name].astype(float) for name in found.data_vars if found[name].dtype.kind == "f"})
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__}); run python -m analysis.sinks without --redraw.") from error
