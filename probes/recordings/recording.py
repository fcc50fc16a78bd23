"""Recordings as labelled data: made from a trace, merged, read back from a folder."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kvsmooth.spans import GROUPS
from probes.command.provenance import digest
from probes.recordings.netcdf import Part, TornFile, read, read_part, write
from probes.recordings.schema import COORDINATES, LAGS, VARIABLES, InvalidRecording, Variable, as_dataset, validate

__all__ = ["InvalidRecording", "TornFile", "labelled", "merge", "read", "read_folder", "validate", "write"]

CHANNELS = ("all", "masked")
FIXED = {"group": np.array(GROUPS), "channels": np.array(CHANNELS), "lag": np.array(LAGS)}


def labelled(
    values: Mapping[str, np.ndarray],
    arm: str,
    image_id: int,
    layers: Sequence[int],
    attributes: Mapping[str, Any],
    objects: Sequence[str] = (),
) -> xr.Dataset:
    """The dataset of one image and arm from arrays that lack only the dimensions arm and image; `objects` names the axis object."""
    sizes = {name: VARIABLES[name].dims[2:] for name in values}
    heads = next((values[name].shape[dims.index("head")] for name, dims in sizes.items() if "head" in dims), None)
    coordinates = {"arm": np.array([arm]), "image": np.array([image_id]), "step": np.arange(int(values["n_steps"]))}
    coordinates |= {"layer": np.array(layers)}
    if heads is not None:
        coordinates["head"] = np.arange(heads)
    used = {dim for dims in sizes.values() for dim in dims}
    coordinates |= {name: names for name, names in (FIXED | {"object": np.array(objects)}).items() if name in used}
    return as_dataset({name: np.asarray(value)[None, None] for name, value in values.items()}, coordinates, attributes)


def merge(recordings: Iterable[xr.Dataset | Part]) -> xr.Dataset:
    """One dataset over all arms and images; steps that an image does not have are NaN, -1 or "".

    Raises
    ------
    InvalidRecording : nothing to merge, different subjects or settings, or one image and arm twice
    """
    parts = [_part(recording) for recording in recordings]
    if not parts:
        raise InvalidRecording("merge needs at least one recording; got none.")
    coordinates = _merged_coordinates([part.coordinates for part in parts])
    names = [name for name in VARIABLES if any(name in part.arrays for part in parts)]
    arrays = {name: _empty(VARIABLES[name], coordinates) for name in names}
    seen = set()
    places = {name: {key: i for i, key in enumerate(coordinates[name].tolist())} for name in ("arm", "image")}
    for part in parts:
        for i, arm in enumerate(part.coordinates["arm"]):
            for j, image in enumerate(part.coordinates["image"]):
                place = (places["arm"][str(arm)], places["image"][int(image)])
                if place in seen:
                    raise InvalidRecording(f"Image {image} of arm {arm} comes twice.")
                seen.add(place)
                for name, array in part.arrays.items():
                    value = array[i, j]
                    arrays[name][(*place, slice(len(value))) if "step" in VARIABLES[name].dims else place] = value
    return as_dataset(arrays, coordinates, _merged_attributes([part.attributes for part in parts]))


def read_folder(
    folder: str | os.PathLike,
    arms: Sequence[str] | None = None,
    images: Iterable[int] | None = None,
    variables: Sequence[str] | None = None,
) -> xr.Dataset:
    """Every file of `folder`/<arm>/<image_id>.nc as one dataset; `arms`, `images` and `variables` choose among them.

    Raises
    ------
    TornFile : a file is cut off or damaged
    InvalidRecording : there is none
    """
    wanted = None if images is None else {int(image) for image in images}
    paths = sorted(Path(folder).glob("*/*.nc"), key=lambda path: (path.parent.name, int(path.stem)))
    paths = [path for path in paths if arms is None or path.parent.name in arms]
    paths = [path for path in paths if wanted is None or int(path.stem) in wanted]
    if not paths:
        raise InvalidRecording(f"{folder} holds no recording of what was asked for; make one with python -m probes.record.")
    if arms is not None:
        paths.sort(key=lambda path: list(arms).index(path.parent.name))
    return merge(read_part(path, variables) for path in paths)


def _empty(law: Variable, coordinates: Mapping[str, np.ndarray]) -> np.ndarray:
    dtype = object if law.dtype == "str" else law.dtype
    return np.full([len(coordinates[dim]) for dim in law.dims], law.fill, dtype=dtype)


def _part(recording: xr.Dataset | Part) -> Part:
    if isinstance(recording, Part):
        return recording
    arrays = {str(name): data.values for name, data in recording.data_vars.items()}
    return Part(arrays, {str(name): data.values for name, data in recording.coords.items()}, recording.attrs)


def _merged_coordinates(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arms in the order in which they come, images in order, the longest text's steps; all other coordinates must agree."""
    merged = {"arm": np.array(list(dict.fromkeys(str(name) for part in parts for name in part["arm"])))}
    merged["image"] = np.array(sorted({int(image) for part in parts for image in part["image"]}))
    merged["step"] = np.arange(max(len(part["step"]) for part in parts))
    for name in COORDINATES.keys() - merged:
        given = [part[name] for part in parts if name in part]
        if any(not np.array_equal(given[0], other) for other in given):
            raise InvalidRecording(f"Recordings with different coordinates {name} cannot be merged.")
        if given:
            merged[name] = given[0]
    return merged


def _merged_attributes(parts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    merged = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        values = list(dict.fromkeys(str(part[name]) for part in parts if name in part))
        if len(values) == 1:
            merged[name] = values[0]
        elif name == "config":
            merged[name] = _merged_config(values)
        elif name == "data_hash":
            merged[name] = digest(sorted(values))
        elif name in ("git_commit", "versions", "created_by"):  # a recording may be finished by later code; every version is named
            merged[name] = " | ".join(sorted(values))
        else:
            raise InvalidRecording(f"Recordings with different {name} cannot be merged: {values[0]} and {values[1]}.")
    return merged


def _merged_config(values: Sequence[str]) -> str:
    """One configuration out of several that differ by their arm: what they share, and each arm's own options."""
    configs = [json.loads(value) for value in values]
    arms: dict[str, Any] = {}
    for config in configs:
        arms |= config.get("arms", {})
    rest = [{name: value for name, value in config.items() if name != "arms"} for config in configs]
    if any(other != rest[0] for other in rest):
        name = next(name for other in rest for name in {**rest[0], **other} if other.get(name) != rest[0].get(name))
        raise InvalidRecording(f"Recordings with different config.{name} cannot be merged.")
    return json.dumps({**rest[0], "arms": arms}, sort_keys=True)
