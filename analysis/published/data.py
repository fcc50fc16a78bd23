"""The reduced data as one labelled array set: what each caption of an open log comes to; of other logs, what was found of their family."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from analysis.published.counts import COLUMNS, PLACES, Spoken
from analysis.published.family import Family
from analysis.published.fluency import LogFluency
from analysis.published.logs import Log
from analysis.published.results import as_text, from_text, read_rows
from analysis.stats.rows import Row
from probes.command.strict_json import as_json

OWN = ("logs", "measured", "measured_fluency", "objects")
"""Attributes that are the question's."""


def packed(logs: Sequence[Log], spoken: Mapping[str, Spoken], closed: Mapping[str, Family], objects: Sequence[str]) -> xr.Dataset:
    """The data set; captions are sorted by image, -1 behind the last one of a log and behind the last mention of a caption.

    Parameters
    ----------
    closed : by family, what was found of those that hold a log of which nothing by caption may be kept
    """
    kept = [log.name for log in logs if log.family not in closed]
    captions = max((len(spoken[name].images) for name in kept), default=0)
    width = max((spoken[name].places.shape[1] for name in kept), default=0)
    image = np.full((len(kept), captions), -1, dtype=np.int64)
    counts = np.full((len(kept), captions, len(COLUMNS)), -1, dtype=np.int32)
    places = np.full((len(kept), captions, width, len(PLACES)), -1, dtype=np.int16)
    for i, name in enumerate(kept):
        one = spoken[name]
        image[i, : len(one.images)], counts[i, : len(one.images)] = one.images, one.counts
        places[i, : len(one.images), : one.places.shape[1]] = one.places
    variables = {"image": (("log", "caption"), image), "counts": (("log", "caption", "count"), counts)}
    variables |= {name: (("log", "caption", "mention"), places[..., i]) for i, name in enumerate(PLACES)}
    told = {"logs": as_json([log.as_dict() for log in logs]), "objects": as_json(list(objects))}
    told |= {"measured": as_json({name: json.loads(as_text(family)) for name, family in closed.items()})}
    return xr.Dataset(variables, {"log": kept, "count": list(COLUMNS)}, told)


def unpacked(reduced: xr.Dataset) -> tuple[dict[str, Spoken], dict[str, Family]]:
    """What `packed` was given of open logs, and of closed families."""
    places = np.stack([reduced[name].values for name in PLACES], axis=-1).astype(np.int64)
    found = {}
    for i, name in enumerate(reduced["log"].values):
        there = reduced["image"].values[i] >= 0
        named = (places[i, there, :, 0] >= 0).any(axis=0)
        width = int(np.flatnonzero(named).max(initial=0)) + 1
        found[str(name)] = Spoken(
            reduced["image"].values[i, there], reduced["counts"].values[i, there].astype(float), places[i, there, :width]
        )
    return found, {name: from_text(json.dumps(family)) for name, family in json.loads(reduced.attrs["measured"]).items()}


def packed_fluency(logs: Sequence[Log], fluent: Mapping[str, LogFluency], rows: Sequence[Row]) -> xr.Dataset:
    """Further variables of the data set: the NLL of captions of open logs; and the rows of closed ones.

    Parameters
    ----------
    rows : of the logs of which nothing by caption may be kept
    """
    closed = {row.where["log"] for row in rows}
    kept = [log.name for log in logs if log.name in fluent and log.name not in closed]
    most = max((len(fluent[name].images) for name in kept), default=0)
    image, nll = np.full((len(kept), most), -1, dtype=np.int64), np.full((len(kept), most), np.nan, dtype=np.float32)
    for i, name in enumerate(kept):
        image[i, : len(fluent[name].images)], nll[i, : len(fluent[name].images)] = fluent[name].images, fluent[name].nll
    variables = {"read_image": (("read_log", "read"), image), "nll": (("read_log", "read"), nll)}
    return xr.Dataset(variables, {"read_log": kept}, {"measured_fluency": as_json([vars(row) for row in rows])})


def unpacked_fluency(reduced: xr.Dataset) -> tuple[dict[str, LogFluency], list[Row]]:
    """What `packed_fluency` was given of open logs, and the rows of closed ones."""
    found = {}
    for i, name in enumerate(reduced["read_log"].values):
        there = reduced["read_image"].values[i] >= 0
        found[str(name)] = LogFluency(reduced["read_image"].values[i, there], reduced["nll"].values[i, there].astype(float))
    return found, read_rows(json.loads(reduced.attrs["measured_fluency"]))


def listed(reduced: xr.Dataset) -> list[Log]:
    """The logs, in the order of the table; where they lie is not known."""
    from pathlib import Path

    return [Log(file=Path(), **told) for told in json.loads(reduced.attrs["logs"])]


def encoding(reduced: xr.Dataset) -> dict[str, dict]:
    """Every number is compressed without loss."""
    return {str(name): {"zlib": True, "complevel": 9, "shuffle": True} for name in reduced.data_vars}
