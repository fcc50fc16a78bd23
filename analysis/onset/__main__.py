"""`python -m analysis.onset`: what comes before a hallucinated mention, what detects it, and when does the first one come?

Records what is missing, reduces it to `onset.nc`, tests (`onset.json`), draws, tells (docs/findings.md). `--redraw` needs no model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import xarray as xr

from analysis.question.command import QuestionOutcome, run_question
from analysis.question.images import shown
from analysis.question.question import Question, compressed, made_by
from analysis.question.recordings import KEPT, RecordingsConfig, recordings_of
from analysis.telling.pages import PAGE
from probes.command.cli import run_cli
from probes.command.strict_json import as_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question("onset", kept=KEPT, encoding=compressed)


@dataclass(frozen=True)
class OnsetConfig(RecordingsConfig):
    """Attention, states and dependency on the image round hallucinated mentions; detectors of them; time to the first one."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20",
        "--redraw",
        "--subject models/mine --image-folder photos --annotations instances.json --images 50",
    )
    out: Path = Path("figures/emoji/onset")
    """folder of figures, onset.nc and onset.json"""
    page: Path = PAGE
    """the page whose paragraph is written anew"""
    annotations: Path | None = None
    """objects of the images of --image-folder, in COCO's instances format; a bundled subject brings its own"""


def main(config: OnsetConfig) -> None:
    """Record, reduce, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words)


def measure(config: OnsetConfig) -> xr.Dataset:
    """Record what is missing of the free captions, find their mentions, and reduce."""
    from analysis.captions.mentions import mention_table
    from analysis.onset.reduce import reduce
    from analysis.onset.series import VARIABLES

    seen = shown(config, config.annotations)
    recording = recordings_of(config, ("free",), variables=VARIABLES, items=seen.items)["free"]
    table = mention_table(recording, seen.annotations)
    reduced = reduce(recording, table, min_steps=config.min_steps, seed=config.seed, level=config.level)
    return reduced.assign_attrs(analysis=as_json(made_by(config)))


def test(reduced: xr.Dataset, config: OnsetConfig, checksum: str) -> str:
    """The text of the results file; `checksum` is that of the file of reduced data."""
    from analysis.onset.results import results
    from analysis.stats.rows import as_json as results_json

    counted = {"images": reduced.sizes["image"], "band": json.loads(reduced.attrs["band"]), **json.loads(reduced.attrs["counted"])}
    arms = [str(arm) for arm in reduced["arm"].values]
    counted["hallucinated_without_control"] = {arm: int(n) for arm, n in zip(arms, reduced["unmatched"].values, strict=True)}
    rows, curves = results(reduced, seed=config.seed, level=config.level)
    return results_json(
        rows,
        QUESTION.origin(reduced, config, checksum, own=("band", "counted")),
        curves=curves,
        counted=counted,
    )


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.onset.figures import NOTES, draw_all

    return {
        name: (made, NOTES[name].format(level=answer.level)) for name, made in draw_all(answer.reduced, answer.rows, answer.found).items()
    }


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.onset.findings import paragraph

    text = paragraph(answer.rows, answer.found)
    return text, text


if __name__ == "__main__":
    run_cli(OnsetConfig, main)
