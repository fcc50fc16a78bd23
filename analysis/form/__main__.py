"""`python -m analysis.form`: the sentences are given and the model chooses the objects alone; does smoothing change what is said?

Each finished arm is a file in --store. `--redraw` makes figure and page from form.nc and form.json alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.form.names import SHUFFLED
from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, compressed, made_by
from probes.command.cli import BadInput, run_cli
from probes.options import ImageOptions, check_level, check_positive

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

QUESTION = Question("form", kept=("level", "seed", "methods"), encoding=compressed)


@dataclass(frozen=True)
class FormConfig(ImageOptions):
    """Does smoothing change what is said, where it cannot change how? Fixed sentences, of which the model chooses the objects."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20 --methods kvsmooth constant:rate=0.6",
        "--subject smollm2 --images 100 --out figures/smollm2/form --page docs/subjects/smollm2/findings.md",
        "--redraw",
    )
    RESUMES: ClassVar[bool] = True
    subject: str = "emoji"
    """a bundled subject (emoji, smollm2)"""
    images: int = 200
    """how many scenes; the unit of every test"""
    methods: tuple[str, ...] = (
        *(f"kvsmooth:lambda_ref={dose}" for dose in ("0.05", "0.2", "0.5")),
        *("kvsmooth", "kvsmooth:lambda_ref=0.9", "constant:rate=0.6", "inverse"),
        *(f"kvsmooth:mix={mix}" for mix in ("shrink_only", "norm_preserving", "random_direction")),
        *(SHUFFLED, "image_bias:strength=1"),
    )
    """as of `python -m analysis.benchmark`, each compared with none; and kvsmooth:rates=shuffled, the published dose with its rates in
    an order that no score chose"""
    batch_size: int = 50
    """images described together"""
    store: Path = Path("recordings/form")
    """folder of finished arms; what lies there is not run again"""
    out: Path = Path("figures/emoji/form")
    """folder of the figure, form.nc and form.json"""
    page: Path = Path("docs/findings.md")
    """the page that gets the paragraph"""
    level: float = 0.95
    """coverage of the intervals"""
    redraw: bool = False
    """figure and page from the files in --out, without a model"""

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "batch_size")
        check_level(self)
        if self.image_folder is not None:
            raise BadInput("FormConfig.image_folder: the objects that may be said are those of a bundled subject; leave it out.")
        if self.max_new_tokens != type(self).max_new_tokens:
            raise BadInput("FormConfig.max_new_tokens: the sentences are given, and with them how long a caption is; leave it out.")
        if not self.methods:
            raise BadInput("FormConfig.methods must name a method.")


def main(config: FormConfig) -> None:
    """Ask, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words, about)


def measure(config: FormConfig) -> "xr.Dataset":
    """What each arm says in the form."""
    from analysis.form.trial import trial

    return trial(config, made_by(config))


def test(reduced: "xr.Dataset", config: FormConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.form.results import results
    from analysis.stats.rows import as_json as results_json

    origin = QUESTION.origin(reduced, config, checksum, ("examples",))
    return results_json(results(reduced, seed=config.seed, level=config.level), origin, examples=json.loads(reduced.attrs["examples"]))


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.form.figures import NOTE, draw_all

    note = NOTE.format(level=answer.level, n=answer.found["provenance"]["n"])
    return {name: (made, note) for name, made in draw_all(_arms(answer), answer.rows).items()}


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under the figure."""
    return answer.origin("git_commit", "model_id", "model_revision", "data_hash", "n")


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.form.findings import paragraph, summary

    return paragraph(_arms(answer), answer.rows, answer.found), summary(_arms(answer), answer.rows)


def _arms(answer: QuestionOutcome) -> list[str]:
    return [str(arm) for arm in answer.reduced["arm"].values]


if __name__ == "__main__":
    run_cli(FormConfig, main)
