"""`python -m analysis.logits`: do logits of present objects fall and those of hallucinated ones rise, once what is said is set aside?

Records what is missing, reduces it to `logits.nc`, tests (`logits.json`), draws, and writes its paragraph. `--redraw` needs no model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import xarray as xr

from analysis.objects.names import BIN
from analysis.objects.sample_sizes import sample_sizes
from analysis.question.command import QuestionOutcome, run_question
from analysis.question.images import shown
from analysis.question.question import Question, compressed, made_by
from analysis.question.recordings import KEPT, RecordingsConfig, recordings_of
from analysis.telling.pages import PAGE
from probes.command.cli import run_cli
from probes.command.strict_json import as_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question("logits", kept=KEPT, encoding=compressed)
NOTES = {
    "logits": "Lines: mean (variance) over objects and images at a step, averaged over {bin} steps, each arm on its own text; bands: "
    "{level:.4g} % cluster BCa interval over images.\nUntil said: before the step that says the object. n: images still generating with an "
    "object of the set, in its colour.",
    "slopes": "Mean of the images' slopes, a level for each object; free: steps that both arms have (median {steps:g}). "
    "Bars: {level:.4g} % cluster BCa. Δ: KVSmooth − none. "
    "n: present {present}, hallucinated {hallucinated} images.\nFilled: corrected p < 0.05, sign flip, max-T (primary: Holm). "
    "− vocabulary, − absent: less the mean logit of all tokens; of absent, other.",
}


@dataclass(frozen=True)
class LogitsConfig(RecordingsConfig):
    """Logits, log-probabilities and ranks of objects over decoding steps, with and without KVSmooth: figures, tests, results."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20",
        "--redraw",
        "--subject models/mine --image-folder photos --annotations instances.json --images 50",
    )
    out: Path = Path("figures/emoji/logits")
    """folder of figures, logits.nc and logits.json"""
    page: Path = PAGE
    """the page that gets the paragraph"""
    annotations: Path | None = None
    """objects of the images of --image-folder, in COCO's instances format; a bundled subject brings its own"""


def main(config: LogitsConfig) -> None:
    """Record, reduce, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words)


def measure(config: LogitsConfig) -> xr.Dataset:
    """Record what is missing in both regimes, and reduce it; the replay feeds the baseline's own captions to both arms."""
    from analysis.logits.reduce import VARIABLES, reduce

    seen = shown(config, config.annotations)
    recordings = recordings_of(config, ("free", "replay"), variables=VARIABLES, items=seen.items)
    reduced = reduce(recordings, seen.annotations, min_steps=config.min_steps, seed=config.seed, level=config.level)
    return reduced.assign_attrs(analysis=as_json(made_by(config)))


def test(reduced: xr.Dataset, config: LogitsConfig, checksum: str) -> str:
    """The text of the results file; `checksum` is that of the file of reduced data."""
    from analysis.logits.results import results
    from analysis.stats.rows import as_json as results_json

    rows = results(reduced, seed=config.seed, level=config.level)
    return results_json(
        rows,
        QUESTION.origin(reduced, config, checksum, own=("dropped", "unannotated")),
        exclusions=exclusions(reduced),
        counted=sample_sizes(reduced),
    )


def exclusions(reduced: xr.Dataset) -> dict[str, Any]:
    """Images without annotations, images too short in an arm by regime, and objects whose first tokens tell nothing."""
    short = {
        str(regime): [int(i) for i in reduced["image"].values[reduced["steps_used"].sel(regime=regime).values == 0]]
        for regime in reduced["regime"].values
    }
    objects, lost = json.loads(reduced.attrs["dropped"]), json.loads(reduced.attrs["unannotated"])
    return {"objects": objects, "unannotated_images": lost, "too_short": short, "min_steps": int(reduced.attrs["min_steps"])}


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.logits.figures import draw_all

    sizes = answer.found["counted"]
    told = {"level": answer.level, "bin": BIN, "steps": sizes["median_steps"]["free"], **sizes["images_with"]}
    return {name: (made, NOTES[name].format(**told)) for name, made in draw_all(answer.reduced, answer.rows).items()}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.logits.findings import paragraph, summary

    return paragraph(answer.rows, answer.found), summary(answer.rows, answer.found)


if __name__ == "__main__":
    run_cli(LogitsConfig, main)
