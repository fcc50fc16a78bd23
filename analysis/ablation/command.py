"""What the command does: runs missing cells, reduces them to ablation.nc, compares them in ablation.json, draws, fills the page."""

import json
from collections.abc import Mapping
from typing import Any

import xarray as xr

from analysis.ablation.config import AblationConfig
from analysis.cells.arms import Arms
from analysis.cells.data import checked, encoding
from analysis.question.question import Question, by_name, read_results
from analysis.telling.pages import spared
from probes.command.cli import BadInput
from probes.command.files import write_bytes
from probes.command.talk import say

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
    say(summary(found))
    if failed:
        from analysis.cells.gather import told

        raise BadInput(told(failed))


def measure(config: AblationConfig) -> tuple[xr.Dataset, dict[str, str]]:
    """Run the cells that are missing and reduce all that are finished; with one line on each that failed."""
    from analysis.ablation.plans import crossed, planned
    from analysis.cells.gather import gathered

    return gathered(config, lambda setting: crossed(config.lists, setting) if config.lists else planned(config.plan, setting))


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
    """Write every figure as SVG and PNG, and what the page says; of a ladder round another centre too, where its folder lies beside."""
    from analysis.ablation.figures import NOTES, draw_all
    from analysis.ablation.page import filled
    from analysis.plots.style import house, save

    rows, told = by_name(found["results"]), found["provenance"]
    about = {name: told.get(name, "") for name in ("git_commit", "model_id", "model_revision", "data_hash", "n", "seed")}
    with house():
        for name, made in draw_all(found["cells"], rows).items():
            note = NOTES[name].format(level=100 * told["config"]["level"], margin=told["config"]["margin_f1"])
            save(made, config.out / name, about, note)
    if config.page.is_file() and not spared(config.page, AblationConfig.page, config.out, "ablation"):
        beside = QUESTION.results(config.out.parent / f"{config.out.name}_half")
        other = read_results(beside) if beside.is_file() else None
        write_bytes(config.page, filled(config.page.read_text(encoding="utf-8"), found, other).encode())
