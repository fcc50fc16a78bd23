"""The two files of a question, <name>.nc (reduced data) and <name>.json (results): made by a run, redrawn from without a model.

Results hold the checksum of the reduced data that they come from. A redraw takes them as they are where it fits, and makes them again
where it does not: a run may have been ended between the two files.
"""

import hashlib
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr

from probes.command.cli import BadInput
from probes.command.files import atomic_write, writable, write_bytes
from probes.command.provenance import provenance
from probes.command.strict_json import as_plain

Config = TypeVar("Config", bound=Any)
Encoding = Mapping[str, Mapping[str, Any]]

PLACES = ("out", "store", "recordings", "page", "beside")
FREE = (*PLACES, "workers", "redraw", "debug")
"""Options that decide no number: a redraw may have others than the run had."""


@dataclass(frozen=True)
class Question:
    """What the commands of this room do alike.

    Parameters
    ----------
    name : of the command `python -m analysis.<name>`, and of both files
    kept : options that a redraw takes over from the run
    encoding : of the reduced data in their file, by variable
    opened : what is made of data that were read; a KeyError or ValueError says that they are something else
    recorded : options of this question that decide what it keeps of single images, beside those that always do
    """

    name: str
    kept: tuple[str, ...]
    encoding: Callable[[xr.Dataset], Encoding]
    opened: Callable[[xr.Dataset], xr.Dataset] = lambda data: data
    recorded: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What the user types."""
        return f"python -m analysis.{self.name}"

    @property
    def checksum(self) -> str:
        """Where the provenance of the results says which reduced data they come from."""
        return f"{self.name}_nc_sha256"

    def data(self, out: Path) -> Path:
        """The file of the reduced data."""
        return out / f"{self.name}.nc"

    def results(self, out: Path) -> Path:
        """The file of the results."""
        return out / f"{self.name}.json"

    def answer(
        self, config: Config, measure: Callable[[Config], xr.Dataset], test: Callable[[xr.Dataset, Config, str], str]
    ) -> tuple[xr.Dataset, dict[str, Any], Config]:
        """Reduced data and results, made or, for a redraw, read; and the options that they were made with.

        Parameters
        ----------
        config : with the fields `out` and `redraw`
        measure : makes the reduced data
        test : makes the text of the results file, of the data as they were read and of their checksum

        Raises
        ------
        BadInput : a file is missing or damaged, or a redraw cannot follow an option
        """
        if not config.redraw:
            writable(config.out)  # now: a place that may not be written must not be found out after an hour
            self.write(measure(config), self.data(config.out))
        reduced, checksum = self.read(self.data(config.out))  # what was written, in its precision: a redraw sees the same numbers
        if config.redraw:
            config = self.as_stored(config, reduced)
        path = self.results(config.out)
        found = read_results(path) if config.redraw and path.exists() else None
        if found is None or found["provenance"].get(self.checksum) != checksum:
            write_bytes(path, test(reduced, config, checksum).encode())
            found = read_results(path)
        return reduced, found, config

    def origin(self, reduced: xr.Dataset, config: Any, checksum: str, own: Iterable[str] = ()) -> dict[str, Any]:
        """Provenance of the results: that of the reduced data, what their recordings tell of themselves, and the data's checksum.

        Parameters
        ----------
        own : attributes of the reduced data that are the question's, not the recordings'
        """
        made = json.loads(reduced.attrs["analysis"]) if "analysis" in reduced.attrs else made_by(config)
        recording = {name: value for name, value in reduced.attrs.items() if name not in ("analysis", *own)}
        return {**made, "recording": recording, self.checksum: checksum}

    def as_stored(self, config: Config, reduced: xr.Dataset) -> Config:
        """The options of a redraw; those that are `kept` are what the reduced data were made with.

        Raises
        ------
        BadInput : an option that a redraw cannot follow differs from its default and from what was stored
        """
        stored = json.loads(reduced.attrs.get("analysis", "{}")).get("config", {})
        for field in fields(config):
            default, asked = as_plain(field.default), as_plain(getattr(config, field.name))
            made_with = stored.get(field.name, default)
            if field.name not in FREE and asked not in (made_with, default):
                option = f"--{field.name.replace('_', '-')}"
                raise BadInput(
                    f"{option} {asked}: {self.data(config.out)} was made with {made_with}, which a redraw keeps; "
                    f"leave {option} out, or run {self.command} without --redraw."
                )
        lists = [field.name for field in fields(config) if isinstance(field.default, tuple)]  # JSON knows no tuples
        taken = {name: stored[name] for name in self.kept if name in stored}
        return replace(config, **{name: tuple(value) if name in lists else value for name, value in taken.items()})

    def write(self, reduced: xr.Dataset, path: Path) -> None:
        """Write netCDF, whole or not at all."""
        with atomic_write(path) as temporary:
            reduced.to_netcdf(temporary, engine="h5netcdf", encoding=self.encoding(reduced))

    def read(self, path: Path) -> tuple[xr.Dataset, str]:
        """The reduced data, and the checksum of the file.

        Raises
        ------
        BadInput : the file is missing or damaged
        """
        if not path.is_file():
            raise BadInput(f"{path}: there is no such file to redraw from; run {self.command} without --redraw first.")
        content = path.read_bytes()  # once: another run may put a new file in its place
        try:
            found = self.opened(xr.load_dataset(io.BytesIO(content), engine="h5netcdf"))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise BadInput(f"{path}: cannot be read ({type(error).__name__}); run {self.command} without --redraw.") from error
        return found, hashlib.sha256(content).hexdigest()


def made_by(config: Any) -> dict[str, Any]:
    """Provenance of a command's files; where they lie on a disk is no part of how their numbers came about."""
    placed = {field.name: field.default for field in fields(config) if field.name in PLACES}
    return provenance(replace(config, **placed))


def under_figures(reduced: xr.Dataset, found: Mapping[str, Any]) -> dict[str, Any]:
    """What the line under a figure of recorded images tells: the recordings' own attributes, images, seed."""
    told = {
        name: reduced.attrs.get(name, "") for name in ("git_commit", "model_id", "model_revision", "data_hash", "dtype", "schema_version")
    }
    return told | {"n": reduced.sizes["image"], "seed": found["provenance"].get("seed", 0)}


def compressed(reduced: xr.Dataset, complevel: int = 6) -> dict[str, dict[str, Any]]:
    """Encoding: every array of real numbers is compressed, without loss."""
    real = [str(name) for name, values in reduced.data_vars.items() if values.dtype.kind == "f" and values.ndim]
    return {name: {"zlib": True, "complevel": complevel, "shuffle": True} for name in real}


def read_results(path: Path) -> dict[str, Any]:
    """A results file.

    Raises
    ------
    BadInput : the file is damaged
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        by_name(found["results"])
        float(found["provenance"]["config"]["level"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: is damaged ({type(error).__name__}); remove it and run the same command again.") from error
    return found


def stored_rows(path: Path, subject: str | None = None) -> dict[str, dict[str, Any]]:
    """Rows of another question's results file by their names; none where there is no file.

    Parameters
    ----------
    subject : whose results they must be, where the file says so; None: anybody's

    Raises
    ------
    BadInput : the file is damaged, or another subject's
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows, whose = by_name(found["results"]), found.get("provenance", {}).get("config", {}).get("subject")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: cannot be read as a results file ({type(error).__name__}); run its question again.") from error
    if None not in (subject, whose) and whose != subject:
        raise BadInput(f"{path}: holds results of {whose}, not of {subject}; put each subject's into a folder of its own name.")
    return rows


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
