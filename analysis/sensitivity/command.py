"""Runs the missing cells, reduces them to sensitivity.nc, tests in sensitivity.json, draws, and writes the page."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from analysis.cells.arms import Arms
from analysis.cells.data import checked, encoding
from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question
from analysis.sensitivity.config import SensitivityConfig
from probes.command.cli import BadInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def opened(data: xr.Dataset) -> xr.Dataset:
    """The data as they are.

    Raises
    ------
    KeyError, ValueError : they are of something else
    """
    json.loads(data.attrs["grid"])
    return checked(data)


QUESTION = Question(
    "sensitivity",
    kept=("level", "seed", "margin_f1", "margin_chair_i"),
    encoding=encoding,
    opened=opened,
)


def perform(config: SensitivityConfig) -> None:
    """Run, reduce, test, draw, tell; each step leaves its file, so that an interrupted run goes on from it."""
    failed: dict[str, str] = {}

    def measured(asked: SensitivityConfig) -> xr.Dataset:
        made, why = measure(asked)
        failed.update(why)
        return made

    run_question(QUESTION, config, measured, test, figures, words, about)
    if failed:
        from analysis.cells.gather import told

        raise BadInput(told(failed))


def measure(config: SensitivityConfig) -> tuple[xr.Dataset, dict[str, str]]:
    """Run the cells that neither this question nor the ablation has run, and reduce all; with one line on each that failed."""
    from analysis.cells.gather import gathered
    from analysis.sensitivity.grid import cells, grid

    made = {}

    def plan(setting):
        made.update(grid(config, setting))
        return cells(made, setting)

    data, failed = gathered(config, plan)
    return data.assign_attrs(grid=json.dumps(made)), failed


def test(held: xr.Dataset, config: SensitivityConfig, checksum: str) -> str:
    """The text of the results file; settings whose cell is missing are left out and named."""
    from analysis.sensitivity.results import Swept, results
    from analysis.stats.rows import as_json

    origin, arms = json.loads(held.attrs["analysis"]), Arms.of(held)
    asked = json.loads(held.attrs["grid"])
    grid = {option: [one for one in settings if one["cell"] in arms.names] for option, settings in asked.items()}
    swept = Swept(arms, grid, origin["layers"], config.level, config.seed)
    rows = results(swept, {"chair_i": config.margin_chair_i, "f1": config.margin_f1})
    listed = [{"option": option, **one} for option, settings in grid.items() for one in settings]
    cells = [
        {**cell, "seconds": float(seconds)} for cell, seconds in zip(json.loads(held.attrs["cells"]), held["seconds"].values, strict=True)
    ]
    more = {"settings": listed, "plane": _plane(swept), "cells": cells, "excluded": origin["missing_cells"]}
    return as_json(rows, {**origin, QUESTION.checksum: checksum}, **more)


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.sensitivity.figures import NOTES, draw_all

    return {name: (made, NOTES[name].format(level=answer.level)) for name, made in draw_all(answer.found, answer.rows).items()}


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under each figure."""
    told = answer.found["provenance"]
    return {name: told.get(name, "") for name in ("git_commit", "model_id", "model_revision", "data_hash", "n", "seed")}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.sensitivity.findings import paragraph

    text = paragraph(answer.found)
    return text, text


def _plane(swept: Any) -> list[dict[str, Any]]:
    """By cell, the resamples' covariances of recall with precision and of CHAIR_i with F1: the ellipses of the planes."""
    from analysis.cells.measures import MEASURES

    order, found = list(MEASURES), []
    for i, name in enumerate(swept.arms.names):
        one = {"cell": name}
        for x, y in (("recall", "precision"), ("chair_i", "f1")):
            both = swept.draws[:, i][:, [order.index(x), order.index(y)]]
            both = both[np.isfinite(both).all(axis=1)]  # of few images, a resample may hold no mention at all
            one[f"{x}, {y}"] = np.cov(both.T).tolist() if len(both) > 1 else [[float("nan")] * 2] * 2
        found.append(one)
    return found
