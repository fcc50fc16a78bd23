"""`python -m analysis.grounding`: dose curves of CHAIR and text quality at points of a subject's training, or after several.

Each finished cell is a file in --store. `--redraw` makes figure and page from grounding.nc and grounding.json alone.
"""

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
from probes.options import check_doses, check_not_negative

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question(
    "grounding", kept=("level", "seed", "points", "doses"), encoding=lambda data: {"counts": {"zlib": True, "complevel": 9}}
)


@dataclass(frozen=True)
class GroundingConfig(CellsConfig):
    """When does smoothing help? Dose curves of the same model at points of its training, or trained anew, on the same scenes."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--points early DIR/scenes4000.safetensors last",
        "--subject emoji --points last DIR",
        "--images 20 --doses 0 0.3 0.7",
        "--redraw",
    )
    subject: str = "smollm2"
    """a bundled subject"""
    images: int = 200
    """how many images; the unit of every test"""
    points: tuple[str, ...] = ("early", "last")
    """points of training: shipped ones (emoji: last alone), or what a training wrote (smollm2: a file, emoji: a folder)"""
    doses: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
    """values of lambda_ref; 0 is no smoothing, and must be the first"""
    fluent: int = 50
    """captions of each cell that the packaged language model reads, the first ones; 0: none"""
    store: Path = Path("recordings/smollm2/ablation")
    """folder of finished cells, the ablation's of this subject; what lies there is not run again"""
    out: Path = Path("figures/smollm2/grounding")
    """folder of the figure, grounding.nc and grounding.json"""
    page: Path = Path("docs/subjects/smollm2/findings.md")
    """the page that gets the paragraph"""

    def __post_init__(self):
        super().__post_init__()
        check_doses(self)
        check_not_negative(self, "fluent")
        if len({Path(point).stem for point in self.points}) < max(len(self.points), 1):
            raise BadInput(f"GroundingConfig.points must be different; got {' '.join(self.points)}.")


def main(config: GroundingConfig) -> None:
    """Run, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words, about)


def measure(config: GroundingConfig) -> xr.Dataset:
    """Run the cells that are missing, point by point, and count what they say."""
    from analysis.captions.measures import COUNTS, counts
    from analysis.cells.cells import Cell
    from analysis.cells.gather import finished
    from analysis.cells.names import BASELINE
    from analysis.language.models import PACKAGED, language_model
    from analysis.language.reading import first_captions, how_many
    from probes.subjects.bundled import BUNDLED
    from probes.subjects.loading import revision_of

    if config.subject not in BUNDLED:
        raise BadInput(f"--subject {config.subject}: points of its training are not known; name one of {', '.join(BUNDLED)}.")
    how_many(config.fluent)
    names = [f"{config.subject}@{point}" for point in config.points]
    for name in names:
        revision_of(name)  # refuses a point that is not there now, and not after the points before it have run
    plan = [Cell(BASELINE, "dose", None), *(Cell(f"lambda_ref {dose:g}", "dose", {"lambda_ref": dose}) for dose in config.doses[1:])]
    read = language_model(PACKAGED) if config.fluent else None
    parts, fluent, origin = [], [], made_by(config)
    for point, name in zip(config.points, names, strict=True):
        ran = finished(replace(config, subject=name, store=config.store), lambda setting: plan)
        if ran.failed:
            why = "; ".join(f"cell {cell}: {reason}" for cell, reason in ran.failed.items())
            raise BadInput(f"{name}: {why} A dose curve needs them all; the same command runs those that are missing.")
        parts.append(np.stack([counts(result["captions"], result["ended"], ran.truth) for result in ran.results]))
        if read is not None:
            texts = {cell.name: result["captions"] for cell, result in zip(ran.cells, ran.results, strict=True)}
            fluent.append(xr.Dataset(first_captions(read, texts, config.fluent, config.seed)).rename(arm="dose"))
        origin |= {key: ran.origin[key] for key in ("data_hash", "n")} | {f"revision {Path(point).stem}": ran.origin["model_revision"]}
    coords = {
        "point": [Path(point).stem for point in config.points],
        "dose": list(config.doses),
        "image": ran.images,
        "count": list(COUNTS),
    }
    told_of = {"analysis": as_json({**origin, "model_id": config.subject})}
    made = xr.Dataset({"counts": (("point", "dose", "image", "count"), np.stack(parts).astype(np.float32))}, coords, told_of)
    return made.merge(xr.concat(fluent, "point")) if fluent else made


def test(reduced: xr.Dataset, config: GroundingConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.grounding.results import results
    from analysis.stats.rows import as_json as results_json

    return results_json(results(reduced, seed=config.seed, level=config.level), QUESTION.origin(reduced, config, checksum))


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.grounding.figures import BROKEN, NOTE, draw_all

    points, doses = _axes(answer)
    note = NOTE.format(level=answer.level, n=answer.reduced.sizes["image"])
    note += BROKEN if any(f"{point}/broken/0" in answer.rows for point in points) else ""
    return {name: (made, note) for name, made in draw_all(points, doses, answer.rows).items()}


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under the figure."""
    return answer.origin("git_commit", "model_id", "data_hash", "n", "seed")


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.grounding.findings import paragraph, summary

    points, doses = _axes(answer)
    return paragraph(points, doses, answer.rows, answer.found), summary(points, doses, answer.rows)


def _axes(answer: QuestionOutcome) -> tuple[list[str], list[float]]:
    return [str(point) for point in answer.reduced["point"].values], [float(dose) for dose in answer.reduced["dose"].values]


if __name__ == "__main__":
    run_cli(GroundingConfig, main)
