"""The reduced data of the ablation: counts and mentions of every cell's captions by image, in one small netCDF file."""

import json
from pathlib import Path

import xarray as xr

from probes.cli import BadInput
from probes.files import atomic_write


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
