"""The two files of the drift question: drift.nc (reduced data) and drift.json (results), written whole and read with one-line errors."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from probes.cli import BadInput
from probes.files import atomic_write


def exclusions(reduced: xr.Dataset) -> dict[str, Any]:
    """By regime: images recorded, images left out because a text is too short, and values that are missing inside a caption."""
    told = {}
    for regime in reduced["regime"].values:
        data = reduced.sel(regime=regime)
        lost = data["missing"].fillna(0)
        told[str(regime)] = {
            "images": int((data["steps"] > 0).any("arm").sum()),
            "too_short": [int(image) for image in data["image"].values[data["excluded"].values.astype(bool)]],
            "min_steps": int(reduced.attrs["min_steps"]),
            "missing_values": {
                str(name): int(count) for name, count in zip(lost["quantity"].values, lost.values, strict=True) if count > 0
            },
        }
    return told


def write_reduced(reduced: xr.Dataset, path: Path) -> None:
    """Write compressed netCDF, whole or not at all."""
    real = [name for name, values in reduced.data_vars.items() if values.dtype.kind == "f" and values.ndim]
    with atomic_write(path) as temporary:
        reduced.to_netcdf(temporary, engine="h5netcdf", encoding={name: {"zlib": True, "complevel": 6, "shuffle": True} for name in real})


def read_reduced(path: Path) -> xr.Dataset:
    """Read the reduced data.

    Raises
    ------
    BadInput : the file is missing or damaged
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file to redraw from; run python -m analysis.drift without --redraw first.")
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__}); run python -m analysis.drift without --redraw.") from error


def read_results(path: Path) -> dict[str, Any]:
    """Read the results file.

    Raises
    ------
    BadInput : the file is damaged
    """
    try:
        found = json.loads(path.read_text())
        by_name(found["results"])
        float(found["provenance"]["config"]["level"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: is damaged ({type(error).__name__}); remove it and run the same command again.") from error
    return found


def by_name(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows of a results file by their names, with NaN where a number is null."""

    def number(value: float | None) -> float:
        return math.nan if value is None else float(value)

    return {
        row["name"]: {
            **row,
            **{key: number(row[key]) for key in ("estimate", "p", "p_adjusted")},
            "interval": [number(limit) for limit in row["interval"]],
        }
        for row in rows
    }
