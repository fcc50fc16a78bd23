"""Files of a recording: netCDF-4, one an image and arm, whole or absent, every variable with a checksum.

They are written with h5py: for the many small variables of a caption xarray's own writer takes seven times as long. xarray opens them
like any netCDF file.
"""

import io
import os
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from probes.files import write_bytes
from probes.schema import COORDINATES, VARIABLES, as_dataset, validate

TEXT = h5py.string_dtype()


class TornFile(OSError):
    """A recording on disk is cut off or damaged; the message names it."""


def write(path: str | os.PathLike, recording: xr.Dataset) -> None:
    """Write a recording whole or not at all; equal recordings give equal bytes.

    Raises
    ------
    InvalidRecording : it breaks the schema
    OSError : the disk refuses; nothing is left behind
    """
    validate(recording)
    # composed in memory: HDF5 meeting a full disk reports it late and leaves broken handles, a plain write does neither
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs.update({name: str(value) for name, value in recording.attrs.items()})
        scales = {name: _put(file, str(name), coordinate) for name, coordinate in recording.coords.items()}
        for name, scale in scales.items():
            scale.make_scale(str(name))
        for name, variable in recording.data_vars.items():
            data = _put(file, str(name), variable)
            for axis, dim in enumerate(variable.dims):
                data.dims[axis].attach_scale(scales[dim])
    write_bytes(path, buffer.getvalue())


def read(path: str | os.PathLike) -> xr.Dataset:
    """Read one file of a recording, every checksum verified.

    Raises
    ------
    TornFile : it is cut off or damaged
    FileNotFoundError
    """
    try:
        with h5py.File(io.BytesIO(Path(path).read_bytes()), "r") as file:
            arrays = {name: _get(data) for name, data in file.items()}
            attributes = dict(file.attrs)
    except FileNotFoundError:
        raise
    except (OSError, KeyError, RuntimeError) as error:
        raise TornFile(f"{path} is torn: it is cut off or damaged, and has to be recorded again.") from error
    variables = {name: array for name, array in arrays.items() if name in VARIABLES}
    return as_dataset(variables, {name: array for name, array in arrays.items() if name in COORDINATES}, attributes)


def _put(file: h5py.File, name: str, data: xr.DataArray) -> h5py.Dataset:
    values = data.values
    if values.dtype.kind in "OU":
        put = file.create_dataset(name, data=values.astype(object), dtype=TEXT, chunks=values.shape, fletcher32=False)
    else:
        put = file.create_dataset(name, data=values, chunks=values.shape, fletcher32=True)
    put.attrs.update(data.attrs)
    return put


def _get(data: h5py.Dataset) -> np.ndarray:
    return data.asstr()[...] if h5py.check_string_dtype(data.dtype) else data[...]
