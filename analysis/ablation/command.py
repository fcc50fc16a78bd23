"""What the command does: runs missing cells, reduces them to ablation.nc, compares them in ablation.json, draws, fills the page."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from analysis.ablation.config import AblationConfig
from analysis.cells.arms import Arms
from analysis.cells.data import checked, encoding
from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, read_results
from probes.command.cli import BadInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEPT = "nll.json"
"""In the store: the NLL of captions that the language model has read."""
QUESTION = Question("ablation", kept=("level", "seed", "margin_f1"), encoding=encoding, opened=checked)


def perform(config: AblationConfig) -> None:
    """Run, reduce, compare, draw; each step leaves its file, so that an interrupted run goes on from it."""
    failed: dict[str, str] = {}

    def measured(asked: AblationConfig) -> xr.Dataset:
        made, told = measure(asked)
        failed.update(told)
        return made

    run_question(QUESTION, config, measured, compare, figures, words, about)
    if failed:
        from analysis.cells.gather import told

        raise BadInput(told(failed))


def measure(config: AblationConfig) -> tuple[xr.Dataset, dict[str, str]]:
    """Run the cells that are missing and reduce all that are finished; with one line on each that failed."""
    from analysis.ablation.plans import crossed, planned
    from analysis.ablation.rivals import variables
    from analysis.cells.gather import finished
    from analysis.language.kept import packaged_reader
    from analysis.language.reading import how_many

    fluent = how_many(config.fluent)
    ran = finished(config, lambda setting: crossed(config.lists, setting) if config.lists else planned(config.plan, setting))
    read = packaged_reader(config.store / KEPT) if fluent else None
    return ran.reduced.merge(variables(ran, read, fluent, config.seed)), ran.failed


def compare(held: xr.Dataset, config: AblationConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.ablation.compare import results
    from analysis.ablation.rivals import rival_rows
    from analysis.stats.rows import as_json

    rows = results(Arms.of(held), level=config.level, seed=config.seed, margin=config.margin_f1)
    rows += rival_rows(held, level=config.level, seed=config.seed)
    cells = [
        {**cell, "seconds": float(seconds)} for cell, seconds in zip(json.loads(held.attrs["cells"]), held["seconds"].values, strict=True)
    ]
    return as_json(rows, {**json.loads(held.attrs["analysis"]), QUESTION.checksum: checksum}, cells=cells)


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.ablation.figures import NOTES, draw_all

    margin = answer.found["provenance"]["config"]["margin_f1"]
    made = draw_all(answer.found["cells"], answer.rows)
    return {name: (drawn, NOTES[name].format(level=answer.level, margin=margin)) for name, drawn in made.items()}


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under each figure."""
    told = answer.found["provenance"]
    return {name: told.get(name, "") for name in ("git_commit", "model_id", "model_revision", "data_hash", "n", "seed")}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """What the page says, of a ladder round another centre too where its folder lies beside; and what the command says at its end."""
    from analysis.ablation.page import markdown
    from analysis.ablation.summary import summary

    out = answer.config.out
    beside = QUESTION.results(out.parent / f"{out.name}_half")
    other = read_results(beside) if beside.is_file() else None
    return markdown(answer.found, other if other and _same_scenes(answer.found, other) else None), summary(answer.found)


def _same_scenes(found: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether another ladder is of the same subject and scenes, round another centre."""
    here, there = found["provenance"], other["provenance"]
    alike = all(here.get(name) == there.get(name) for name in ("model_revision", "data_hash"))
    return alike and here["base"]["lambda_ref"] != there.get("base", {}).get("lambda_ref")
