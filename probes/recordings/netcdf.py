"""Files of a recording: netCDF-4, one an image and arm, whole or absent, with one digest over every byte.

They are written with h5py, which writes the many small variables of a caption faster than xarray's own writer. xarray opens them like any
netCDF file. The attribute `content` holds the SHA-256 of the file as it is with zeros in the digest's place: numbers, texts, attributes and
HDF5's own structure are all under it, and it is checked before any of them is parsed.
"""

import hashlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import xarray as xr

from probes.command.files import write_bytes
from probes.recordings.schema import COORDINATES, VARIABLES, InvalidRecording, as_dataset, validate

TEXT = h5py.string_dtype()
CONTENT = "content"
DIGEST = re.compile(rb"sha256-of-file:([0-9a-f]{64})")
UNSEALED = b"sha256-of-file:" + b"0" * 64


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
        file.attrs.update({name: str(value) for name, value in recording.attrs.items()} | {CONTENT: UNSEALED.decode()})
        scales = {name: _put(file, str(name), coordinate) for name, coordinate in recording.coords.items()}
        for name, scale in scales.items():
            scale.make_scale(str(name))
        for name, variable in recording.data_vars.items():
            data = _put(file, str(name), variable)
            for axis, dim in enumerate(variable.dims):
                data.dims[axis].attach_scale(scales[dim])
    write_bytes(path, _sealed(buffer.getvalue()))


class Part(NamedTuple):
    """One file's content as bare arrays: what many files are merged from, since a dataset each would take most of the time."""

    arrays: dict[str, np.ndarray]
    coordinates: dict[str, np.ndarray]
    attributes: dict[str, Any]


def read(path: str | os.PathLike, variables: Sequence[str] | None = None) -> xr.Dataset:
    """Read one file of a recording, its digest verified first; of its variables only `variables`, if given.

    Raises
    ------
    TornFile : it is cut off, damaged, or was written by something else than `write`
    OSError : the system does not give it
    """
    return as_dataset(*read_part(path, variables))


def read_part(path: str | os.PathLike, variables: Sequence[str] | None = None) -> Part:
    """`read` without a dataset around it: variables, the coordinates of their dimensions, and attributes.

    Raises
    ------
    TornFile, OSError : as `read`
    InvalidRecording : of a variable that the schema does not know
    """
    if unknown := set(variables or ()) - VARIABLES.keys():
        raise InvalidRecording(f"variables must be names of the schema (docs/recording.md); got {min(unknown)}.")
    whole = Path(path).read_bytes()
    try:
        _verify(whole)
        wanted = set(VARIABLES) if variables is None else set(variables)
        dims = set(COORDINATES) if variables is None else {"arm", "image", "step"}.union(*(VARIABLES[name].dims for name in wanted))
        # h5py's low level: of thousands of small files its objects, one a variable and attribute, would take half of the time
        file = h5py.h5f.open_file_image(whole)
        try:
            root = h5py.h5g.open(file, b"/")
            arrays = {name: _get(root, name) for name in sorted(wanted) if name.encode() in root}
            coordinates = {name: _get(root, name) for name in sorted(dims) if name.encode() in root}
            attributes = {name: value for name, value in _attributes(root) if name != CONTENT}
        finally:
            file.close()
    except Exception as error:  # whatever a parser says about bytes that are no recording
        raise TornFile(f"{path} is torn: it is cut off or damaged, and has to be recorded again.") from error
    return Part(arrays, coordinates, attributes)


def _sealed(content: bytes) -> bytes:
    """The file with its digest in the place that was left for it."""
    place = _place(content)
    return content[: place.start(1)] + hashlib.sha256(content).hexdigest().encode() + content[place.end(1) :]


def _verify(content: bytes) -> None:
    place = _place(content)
    digest = hashlib.sha256(content[: place.start(1)])
    digest.update(UNSEALED[-64:])
    digest.update(memoryview(content)[place.end(1) :])
    if digest.hexdigest().encode() != place[1]:
        raise ValueError("the digest is that of other bytes")


def _place(content: bytes) -> re.Match:
    places = list(DIGEST.finditer(content))
    if len(places) != 1:
        raise ValueError(f"a recording holds one digest of itself; found {len(places)}")
    return places[0]


def _put(file: h5py.File, name: str, data: xr.DataArray) -> h5py.Dataset:
    values = data.values
    if values.dtype.kind in "OU":
        put = file.create_dataset(name, data=values.astype(object), dtype=TEXT, chunks=values.shape, fletcher32=False)
    else:
        put = file.create_dataset(name, data=values, chunks=values.shape, fletcher32=True)
    put.attrs.update(data.attrs)
    return put


def _get(root: h5py.h5g.GroupID, name: str) -> np.ndarray:
    data = h5py.h5d.open(root, name.encode())
    values = np.empty(data.shape, data.dtype)
    data.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values if values.dtype.kind != "O" else _text(values)


def _attributes(root: h5py.h5g.GroupID) -> Iterator[tuple[str, str]]:
    for index in range(h5py.h5a.get_num_attrs(root)):
        attribute = h5py.h5a.open(root, index=index)
        value = np.empty(attribute.shape, attribute.dtype)
        attribute.read(value)
        yield attribute.name.decode(), str(_text(value))


def _text(values: np.ndarray) -> np.ndarray:
    found = np.empty(values.shape, dtype=object)
    found.flat[:] = [value.decode() for value in values.flat]
    return found
