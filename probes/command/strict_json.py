"""Converts values to strict JSON: the one converter of results, records and provenance."""

import dataclasses
import json
import math
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np


def as_plain(value: Any, digits: int | None = None) -> Any:
    """Numbers, texts, lists and objects; NaN and infinities are null.

    numpy's scalars and arrays become numbers and lists, tuples lists, sets sorted lists, paths texts with "/", dataclasses objects; an
    object with `describe()` describes itself, and anything else is its `repr`.

    Parameters
    ----------
    digits : significant digits of fractions; None keeps them all
    """
    if isinstance(value, float | np.floating):
        return _number(float(value), digits)
    if isinstance(value, np.ndarray | np.generic):
        return as_plain(value.tolist(), digits)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): as_plain(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [as_plain(item, digits) for item in value]
    if isinstance(value, set | frozenset):
        return _sorted([as_plain(item, digits) for item in value])
    if isinstance(value, Path):
        return value.as_posix()
    if not isinstance(value, type):
        if callable(getattr(value, "describe", None)):
            return as_plain(value.describe(), digits)
        if dataclasses.is_dataclass(value):
            return {field.name: as_plain(getattr(value, field.name), digits) for field in dataclasses.fields(value)}
    if isinstance(value, Integral):
        return int(value)
    return _number(float(value), digits) if isinstance(value, Real) else repr(value)


def json_text(value: Any, *, digits: int | None = None, **options: Any) -> str:
    """`as_plain` as JSON text; `options` are those of `json.dumps`."""
    return json.dumps(as_plain(value, digits), allow_nan=False, **options)


def as_json(value: Any) -> str:
    """The text with sorted keys, so that equal configurations are equal strings."""
    return json_text(value, sort_keys=True)


def _number(value: float, digits: int | None) -> float | None:
    if not math.isfinite(value):
        return None
    return value if digits is None else float(f"{value:.{digits}g}")


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except TypeError:  # of several kinds
        return sorted(items, key=repr)
