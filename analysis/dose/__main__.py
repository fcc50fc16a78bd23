"""`python -m analysis.dose`: a dose chosen on validation scenes by a fixed rule, then one confirmatory test on fresh scenes.

Each finished cell is a file in --store. `--redraw` makes figure and page from dose.nc and dose.json alone.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from analysis.cells.config import CellsConfig
from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, made_by
from probes.command.cli import BadInput, run_cli
from probes.command.strict_json import as_json
from probes.options import check_doses, check_not_negative, check_positive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question(
    "dose",
    kept=("level", "seed", "doses", "lambda_ref"),
    encoding=lambda data: {name: {"zlib": True, "complevel": 9} for name in ("validation", "test")},
)


EXAMPLES = 12
"""Captions of each arm that are kept: those of the first test scenes."""


@dataclass(frozen=True)
class DoseConfig(CellsConfig):
    """Does smoothing help at a dose chosen fairly? A rule in the code chooses it on validation scenes, fresh scenes judge it once."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--subject smollm2 --images 200", "--redraw")
    validation: int = 200
    """validation scenes, which choose the dose; no more than --images"""
    fluent: int = 100
    """test captions of each arm that the packaged language model reads, the first; 0: none, and the rule looks at loops alone"""
    doses: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
    """values of lambda_ref among which is chosen; 0 is no smoothing, and must be the first"""
    out: Path = Path("figures/emoji/dose")
    """folder of the figure, dose.nc and dose.json"""
    page: Path = Path("docs/findings.md")
    """the page that gets the paragraph"""

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "validation")
        check_not_negative(self, "fluent")
        check_doses(self)
        if self.image_folder is not None:
            raise BadInput("DoseConfig.image_folder: a folder has no validation scenes apart from its test scenes; leave it out.")


def main(config: DoseConfig) -> None:
    """Choose, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words, about)


def measure(config: DoseConfig) -> xr.Dataset:
    """The curve on validation scenes, the choice, and the arms and controls on test scenes."""
    from analysis.captions.measures import COUNTS, counts, ratios
    from analysis.cells.cells import Cell
    from analysis.cells.gather import finished
    from analysis.cells.names import BASELINE, PAPER
    from analysis.dose.controls import controls
    from analysis.dose.findings import CHOSEN, NONE, PUBLISHED
    from analysis.dose.grammar import written
    from analysis.dose.reading import broken_of, fluency_of
    from analysis.dose.rule import chosen, eligible, share_of
    from analysis.language.models import PACKAGED, language_model
    from analysis.language.reading import how_many
    from analysis.metrics.chair import score_caption
    from analysis.omission.mentions import mentions_of
    from analysis.omission.stored import stored
    from probes.subjects.bundled import BUNDLED, bundled

    own = bundled(config.subject)
    if own is None:
        raise BadInput(f"subject {config.subject}: it brings no validation scenes to choose a dose on; name one of {', '.join(BUNDLED)}.")
    how_many(config.fluent)
    none = Cell(BASELINE, "reference", None)

    def guided(dose: float) -> Cell:
        return Cell(PAPER, "dose") if dose == config.lambda_ref else Cell(f"lambda_ref {dose:g}", "dose", {"lambda_ref": dose})

    def counted(ran: Any) -> dict[str, np.ndarray]:
        if ran.failed:
            why = "; ".join(f"cell {cell}: {reason}" for cell, reason in ran.failed.items())
            raise BadInput(f"{why} All are needed; the same command runs those that are missing.")
        pairs = zip(ran.cells, ran.results, strict=True)
        return {cell.name: counts(result["captions"], result["ended"], ran.truth).astype(np.float32) for cell, result in pairs}

    def of_grammar(ran: Any) -> dict[str, np.ndarray]:
        return {cell.name: written(result["captions"], own.writes) for cell, result in zip(ran.cells, ran.results, strict=True)}

    cells = [none, *map(guided, config.doses[1:])]
    first = finished(replace(config, images=min(config.validation, config.images)), lambda setting: cells, split="validation")
    curve = np.stack([*counted(first).values()])
    levels = ratios(curve.sum(1, dtype=float))
    read = language_model(PACKAGED) if config.fluent else None
    wrong = np.full(curve.shape[:2], np.nan, dtype=np.float32)
    if read is not None:
        wrong = broken_of(read, [result["captions"] for result in first.results], eligible(levels))
    dose = chosen(config.doses, levels, share_of(wrong))
    arms = {NONE: none} | ({CHOSEN: guided(dose)} if dose else {}) | {PUBLISHED: guided(config.lambda_ref)}
    tested = {cell.name: cell for cell in arms.values()}  # the chosen dose may be the published one
    ran = finished(config, lambda setting: [*tested.values(), *controls(setting)])
    arms |= {cell.name: cell for cell in ran.cells if cell.name not in tested}
    found, by_grammar = counted(ran), of_grammar(ran)
    whole = {cell.name: result["captions"] for cell, result in zip(ran.cells, ran.results, strict=True)}
    of_none = ran.results[0]["captions"]
    mentions = mentions_of([score_caption(text, there) for text, there in zip(of_none, ran.truth, strict=True)], of_none)
    confirmed = {}
    if dose:
        fresh = finished(config, lambda setting: [none, guided(dose)], split="confirmation")
        confirmed = {"confirmation": (("confirmed", "fresh", "count"), np.stack([*counted(fresh).values()])), "fresh": fresh.images}
    said = {arm: whole[cell.name] for arm, cell in arms.items()}
    fluent = fluency_of(read, said, config.fluent, config.seed, ran.material) if read is not None else {}
    coords = {
        "dose": list(config.doses),
        "scene": first.images,
        "arm": list(arms),
        "image": ran.images,
        "count": list(COUNTS),
        "of": ["written", "sentences"],
    }
    kept = {name: ran.origin[name] for name in ("model_id", "model_revision", "data_hash", "n")}
    origin = {**made_by(config), **kept, "validation_hash": first.origin["data_hash"], "chosen": dose}
    return xr.Dataset(
        {
            "validation": (("dose", "scene", "count"), curve),
            "test": (("arm", "image", "count"), np.stack([found[cell.name] for cell in arms.values()])),
            "validation_written": (("dose", "scene", "of"), np.stack([*of_grammar(first).values()])),
            "written": (("arm", "image", "of"), np.stack([by_grammar[cell.name] for cell in arms.values()])),
            **stored(mentions),
            "validation_broken": (("dose", "scene"), wrong),
            **confirmed,
            **fluent,
        },
        coords,
        {"analysis": as_json(origin), "examples": as_json({arm: texts[:EXAMPLES] for arm, texts in said.items()})},
    )


def test(reduced: xr.Dataset, config: DoseConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.dose.results import results
    from analysis.stats.rows import as_json as results_json

    rows = results(reduced, seed=config.seed, level=config.level)
    origin = QUESTION.origin(reduced, config, checksum, own=("examples",))
    return results_json(rows, origin, examples=json.loads(reduced.attrs["examples"]))


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.dose.figures import NOTE, draw_all

    note = NOTE.format(level=answer.level, n=answer.reduced.sizes["image"], scenes=answer.reduced.sizes["scene"])
    doses = [float(dose) for dose in answer.reduced["dose"].values]
    return {name: (made, note) for name, made in draw_all(doses, answer.rows, answer.found["provenance"]["chosen"]).items()}


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under the figure."""
    return answer.origin("git_commit", "model_id", "model_revision", "data_hash", "n")


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.dose.findings import paragraph, summary

    return paragraph(answer.rows, answer.found), summary(answer.rows, answer.found)


if __name__ == "__main__":
    run_cli(DoseConfig, main)
