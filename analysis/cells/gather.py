"""Runs the missing cells of a plan and reduces all finished ones; shared by the commands that run cells."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from analysis.cells.cells import Cell
from analysis.cells.config import CellsConfig
from analysis.cells.names import BASELINE
from analysis.cells.plan_setting import PlanSetting
from analysis.cells.planning import Material, material, task_list
from analysis.cells.reduce import reduced
from analysis.cells.workers import work
from analysis.question.question import made_by
from probes.command.cli import BadInput, quiet
from probes.command.files import sweep


@dataclass(frozen=True)
class Finished:
    """The finished cells of a plan.

    Attributes
    ----------
    material : subject, images, plan and store
    cells, results : those that are finished, and what each of them said
    failed : one line on each that failed
    origin : provenance of the numbers
    """

    material: Material
    cells: list[Cell]
    results: list[dict[str, Any]]
    failed: dict[str, str]
    origin: dict[str, Any]

    @property
    def images(self) -> list[int]:
        """Their numbers."""
        return [item.image_id for item in self.material.shown.items]

    @property
    def reduced(self) -> xr.Dataset:
        """Counts of the cells by image, as `analysis.cells.reduce` holds them."""
        return reduced(self.cells, self.results, self.images, self.truth, self.origin)

    @property
    def truth(self) -> list[frozenset[str]]:
        """Their objects."""
        return [self.material.shown.truth[image] for image in self.images]


def finished(config: CellsConfig, cells: Callable[[PlanSetting], Sequence[Cell]], split: str = "test") -> Finished:
    """Runs the missing cells of a plan and reads all that are finished.

    Parameters
    ----------
    cells : makes the plan, of what must be known of method and subject
    split : of a bundled subject's scenes

    Raises
    ------
    BadInput : the subject or an option cannot be used, a stored cell is damaged, or the baseline failed
    """
    quiet()
    begun, code = time.perf_counter(), made_by(config)  # now: the commit that the cells were run with, not the one an hour later
    made = material(config, cells, split)
    sweep(config.store)
    tasks = task_list(config, made.plan, made.store)
    failed = work(made.job, tasks, config.workers, made.subject, config.debug) if tasks else {}
    wall = time.perf_counter() - begun
    done = [cell for cell in made.plan if made.store.finished(cell)]
    missing = [cell.name for cell in made.plan if cell not in done]
    if BASELINE in missing:
        raise BadInput(f"cell {BASELINE}: {failed.get(BASELINE, 'is not finished')} Nothing can be compared without it.")
    results = [made.store.read(cell) for cell in done]
    origin = code | {
        "model_id": config.subject,
        "model_revision": made.store.identity["revision"],
        "data_hash": made.store.identity["scenes"],
        "n": len(made.shown.items),
        "base": made.job.base,
        "layers": made.layers,
        "missing_cells": missing,
        "wall": _wall(wall, tasks, failed, results, config.workers),
    }
    return Finished(made, done, results, failed, origin)


def gathered(config: CellsConfig, cells: Callable[[PlanSetting], Sequence[Cell]]) -> tuple[xr.Dataset, dict[str, str]]:
    """Counts of all finished cells by image, as `reduced` holds them; with one line on each cell that failed."""
    made = finished(config, cells)
    return made.reduced, made.failed


def told(failed: Mapping[str, str]) -> str:
    """What is said of cells that failed, once the others are compared and drawn."""
    each = "; ".join(f"cell {name}: {why}" for name, why in failed.items())
    return f"{len(failed)} of the cells failed, the others are kept and drawn: {each}"


def _wall(wall: float, tasks: Sequence, failed: Mapping[str, str], results: Sequence[Mapping[str, Any]], workers: int) -> dict[str, Any]:
    """Seconds of this run and of all cells together, however many runs they took."""
    return {
        "this_run_seconds": round(wall, 1),
        "cells_of_this_run": len(tasks) - len(failed),
        "workers": workers,
        "all_cells_seconds": round(math.fsum(result["seconds"] for result in results), 1),
        "all_cells_cpu_seconds": round(math.fsum(result["cpu_seconds"] for result in results), 1),
    }
