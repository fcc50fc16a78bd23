"""Finished cells on disk: one JSON file each, named by the cell and by a digest of everything that decides what it holds."""

import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from analysis.captions.version import code_version, method_version
from analysis.cells.cells import Cell
from analysis.cells.run import AppliedRates
from probes.command.cli import BadInput
from probes.command.files import write_bytes
from probes.command.provenance import digest
from probes.command.strict_json import as_json, json_text

COMPUTING = ("analysis.cells.run", "analysis.cells.decoding", "analysis.cells.classes", "probes.greedy", "probes.growing_cache")
"""Modules that decide what a cell holds, beside the method's own."""


@dataclass(frozen=True)
class Place:
    """Where a cell's result lies, and its first pass where it has one.

    Parameters
    ----------
    result : the JSON file of the cell
    first : the rates that drive this cell; None where nothing does
    rates : where this cell leaves its own rates for others; None where nobody asks for them
    """

    result: Path
    first: Path | None = None
    rates: Path | None = None


@dataclass(frozen=True)
class CellStore:
    """A folder of finished cells.

    Parameters
    ----------
    folder : made when the first cell is written
    identity : what decides every cell: the weights, the images, the way of decoding, the versions of what computes
    plan : the cells that are asked for; those whose rates drive another of them leave their rates too
    """

    folder: Path
    identity: Mapping[str, Any]
    plan: tuple[Cell, ...]

    def digest(self, cell: Cell) -> str:
        """A hash of everything that decides the cell; a two-pass cell hangs on its first pass, the baseline on no method at all."""
        parts = [as_json({name: value for name, value in self.identity.items() if name != "base"})]
        # what holds in the end: an option that a cell names and one that it takes from the base are the same cell
        options = None if cell.options is None else {**self.identity.get("base", {}), **cell.options}
        parts += [as_json(options), code_version(*COMPUTING)]
        if cell.options is not None:
            parts.append(method_version(cell.option("score"), cell.option("policy")))
        if cell.source is not None:
            parts.append(self.digest(cell.source))
        return digest(parts)

    @cached_property
    def driving(self) -> frozenset[str]:
        """Digests of the cells whose rates another cell of the plan needs."""
        return frozenset(self.digest(cell.source) for cell in self.plan if cell.source is not None)

    def place(self, cell: Cell) -> Place:
        """The files of a cell; rates are named by their digest alone, since the cells that they drive know no other name.

        A result is found under any name: a cell that another plan calls otherwise is not run again.
        """
        own = self.digest(cell)
        there = sorted(self.folder.glob(f"*-{own}.json"))
        return Place(
            result=there[0] if there else self.folder / f"{cell.slug}-{own}.json",
            first=None if cell.source is None else self._rates(self.digest(cell.source)),
            rates=self._rates(own) if own in self.driving else None,
        )

    def finished(self, cell: Cell) -> bool:
        """Whether the cell lies there whole, rates included where others need them."""
        place = self.place(cell)
        return place.result.is_file() and (place.rates is None or place.rates.is_file())

    def read(self, cell: Cell) -> dict[str, Any]:
        """A finished cell.

        Raises
        ------
        BadInput : the file is damaged
        """
        path = self.place(cell).result
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {
                **found,
                "captions": list(found["captions"]),
                "seconds": float(found["seconds"]),
                "cpu_seconds": float(found["cpu_seconds"]),
            }
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path}: is damaged ({type(error).__name__}); remove it, and the same command runs this cell again.") from error

    def _rates(self, of: str) -> Path:
        return self.folder / f"rates-{of}.npz"


def write_result(place: Place, cell: Cell, result: Mapping[str, Any], applied: Sequence[AppliedRates]) -> None:
    """Write a finished cell: its rates first, since the result says that all is there."""
    if place.rates is not None:
        write_bytes(place.rates, _packed(applied))
    told = {"name": cell.name, "family": cell.family, "options": cell.options, **result}
    write_bytes(place.result, (json_text(told) + "\n").encode())


def read_applied(path: Path) -> list[AppliedRates]:
    """The rates of a first pass, by batch.

    Raises
    ------
    BadInput : the file is damaged
    """
    try:
        with path.open("rb") as file, np.load(file) as found:
            parts = {name: torch.from_numpy(found[name]) for name in found.files}
        batches = range(len(parts) // 3)
        return [AppliedRates(*(parts[f"{name}_{i}"] for name in ("rates", "steps", "tokens"))) for i in batches]
    except (ValueError, KeyError, OSError, EOFError, BadZipFile, zlib.error) as error:
        if isinstance(error, OSError) and error.errno:  # the system does not give the file, which may be sound
            raise
        raise BadInput(f"{path}: is damaged ({type(error).__name__}); remove it, and the same command makes it again.") from error


def _packed(applied: Iterable[AppliedRates]) -> bytes:
    parts: dict[str, Any] = {}
    for i, batch in enumerate(applied):
        parts |= {f"{name}_{i}": getattr(batch, name).numpy() for name in ("rates", "steps", "tokens")}
    held = io.BytesIO()
    np.savez_compressed(held, **parts)
    return held.getvalue()
