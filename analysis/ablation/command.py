"""What the command does: runs missing cells, reduces them to ablation.nc, compares them in ablation.json, draws, fills the page."""

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from analysis.ablation.arms import Arms
from analysis.ablation.config import AblationConfig
from analysis.ablation.data import checked, encoding
from analysis.ablation.names import BASELINE
from analysis.question import Question, by_name, made_by
from probes.cli import BadInput
from probes.files import sweep, write_bytes

QUESTION = Question("ablation", kept=("level", "seed", "margin_f1"), encoding=encoding, opened=checked)


def perform(config: AblationConfig) -> None:
    """Run, reduce, compare, draw; each step leaves its file, so that an interrupted run goes on from it."""
    from analysis.ablation.summary import summary

    failed: dict[str, str] = {}

    def measured(asked: AblationConfig) -> xr.Dataset:
        made, told = measure(asked)
        failed.update(told)
        return made

    _, found, config = QUESTION.answer(config, measured, compare)
    draw(found, config)
    print(summary(found))  # noqa: T201  what the command says at its end
    if failed:
        told = "; ".join(f"cell {name}: {why}" for name, why in failed.items())
        raise BadInput(f"{len(failed)} of the cells failed, the others are kept and drawn: {told}")


def measure(config: AblationConfig) -> tuple[xr.Dataset, dict[str, str]]:
    """Run the cells that are missing and reduce all that are finished; with one line on each that failed."""
    import transformers

    from analysis.ablation.planning import material, task_list
    from analysis.ablation.reduce import reduced
    from analysis.ablation.workers import work
    from analysis.metrics.chair import ground_truth
    from probes.subjects.emoji import annotations

    transformers.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        transformers.logging.disable_progress_bar()
    begun, code = time.perf_counter(), made_by(config)  # now: the commit that the cells were run with, not the one an hour later
    made = material(config)
    sweep(config.store)
    tasks = task_list(config, made.plan, made.store)
    failed = work(made.job, tasks, config.workers, made.subject, config.debug) if tasks else {}
    wall = time.perf_counter() - begun
    finished = [cell for cell in made.plan if made.store.finished(cell)]
    missing = [cell.name for cell in made.plan if cell not in finished]
    if BASELINE in missing:
        raise BadInput(f"cell {BASELINE}: {failed.get(BASELINE, 'is not finished')} Nothing can be compared without it.")
    truth = ground_truth(annotations(made.scenes))
    images = [scene.image_id for scene in made.scenes]
    results = [made.store.read(cell) for cell in finished]
    origin = code | {
        "model_id": config.subject,
        "model_revision": made.store.identity["revision"],
        "data_hash": made.store.identity["scenes"],
        "n": len(images),
        "base": made.job.base,
        "missing_cells": missing,
        "wall": _wall(wall, tasks, failed, results, config.workers),
    }
    return reduced(finished, results, images, [truth[image] for image in images], origin), failed


def compare(held: xr.Dataset, config: AblationConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.ablation.compare import results
    from analysis.stats.rows import as_json

    rows = results(Arms.of(held), level=config.level, seed=config.seed, margin=config.margin_f1)
    cells = [
        {**cell, "seconds": float(seconds)} for cell, seconds in zip(json.loads(held.attrs["cells"]), held["seconds"].values, strict=True)
    ]
    return as_json(rows, {**json.loads(held.attrs["analysis"]), QUESTION.checksum: checksum}, cells=cells)


def draw(found: Mapping[str, Any], config: AblationConfig) -> None:
    """Write every figure as SVG and PNG, and the tables of the page."""
    from analysis.ablation.figures import NOTE, draw_all
    from analysis.ablation.page import filled
    from analysis.plots.style import house, save

    rows, told = by_name(found["results"]), found["provenance"]
    about = {name: told.get(name, "") for name in ("git_commit", "model_id", "model_revision", "data_hash", "n", "seed")}
    with house():
        for name, made in draw_all(found["cells"], rows).items():
            save(made, config.out / name, about, NOTE.format(level=100 * told["config"]["level"], margin=told["config"]["margin_f1"]))
    if config.page.is_file():
        write_bytes(config.page, filled(config.page.read_text(), found).encode())


def _wall(wall: float, tasks: Sequence, failed: Mapping[str, str], results: Sequence[Mapping[str, Any]], workers: int) -> dict[str, Any]:
    """Seconds of this run and of all cells together, however many runs they took."""
    return {
        "this_run_seconds": round(wall, 1),
        "cells_of_this_run": len(tasks) - len(failed),
        "workers": workers,
        "all_cells_seconds": round(math.fsum(result["seconds"] for result in results), 1),
        "all_cells_cpu_seconds": round(math.fsum(result["cpu_seconds"] for result in results), 1),
    }
