"""`python -m analysis.methods`: KVSmooth, methods of others and controls, each at a strength that validation scenes choose by one rule.

Each finished arm is a file in --store. `--redraw` makes figure and page from methods.nc and methods.json alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, made_by
from probes.command.cli import BadInput, run_cli
from probes.options import ImageOptions, check_above_zero, check_level, check_names, check_not_negative, check_positive

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def _encoding(reduced: "xr.Dataset") -> dict[str, dict]:
    return {str(name): {"zlib": True, "complevel": 9, "shuffle": True} for name in reduced.data_vars}


QUESTION = Question("methods", kept=("level", "seed", "methods", "strengths"), encoding=_encoding)


@dataclass(frozen=True)
class MethodsConfig(ImageOptions):
    """Does any method help, and how: by seeing better, by saying less, or by repeating? Strengths are chosen by one rule for all."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20 --validation 20 --methods pai eos_bias kvsmooth",
        "--subject smollm2 --images 100 --validation 40",
        "--beams 5 --methods opera kvsmooth eos_bias --images 100 --validation 40",
        "--images 20 --validation 20 --methods vcd --beside out/emoji-20/methods --out out/more",
        "--redraw",
    )
    RESUMES: ClassVar[bool] = True
    subject: str = "emoji"
    """a bundled subject (emoji, smollm2)"""
    images: int = 500
    """test scenes; the unit of every test"""
    validation: int = 200
    """validation scenes, which choose the strengths"""
    methods: tuple[str, ...] = ()
    """names; left out: KVSmooth and every method of `kvsmooth.baselines` that can be tried (`analysis/methods/strengths.py`)"""
    strengths: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0)
    """multiples of each source's own setting; 1 must be among them"""
    fluent: int = 50
    """test captions of each arm that the packaged language model reads, the first ones; 0: none"""
    batch_size: int = 50
    """images decoded together; what serves one text at a time gets one"""
    beams: int = 1
    """beams of the search by which every arm finds its captions; 1: greedy decoding"""
    store: Path = Path("recordings/methods")
    """folder of finished arms; what lies there is not run again"""
    out: Path = Path("figures/emoji/methods")
    """folder of the figure, methods.nc and methods.json"""
    page: Path = Path("docs/methods.md")
    """the page that gets the paragraph"""
    beside: Path | None = None
    """folder of an earlier result on the same scenes and with the same options: --methods are added to its arms, which are not run again"""
    level: float = 0.95
    """coverage of the intervals"""
    redraw: bool = False
    """figure and page from the files in --out, without a model"""

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "validation", "batch_size", "beams")
        check_not_negative(self, "fluent")
        check_above_zero(self, "strengths")
        check_level(self)
        if list(self.strengths) != sorted({*self.strengths}) or 1.0 not in self.strengths:
            raise BadInput(f"MethodsConfig.strengths must rise and hold 1, the sources' own; got {' '.join(map(str, self.strengths))}.")
        check_names(self, "strengths")
        if self.image_folder is not None:
            raise BadInput("MethodsConfig.image_folder: a folder has no validation scenes apart from its test scenes; leave it out.")
        if len({*self.methods}) < len(self.methods):
            raise BadInput("MethodsConfig.methods names one twice; leave one of them out.")


def main(config: MethodsConfig) -> None:
    """Choose, judge, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words, about)


def measure(config: MethodsConfig) -> "xr.Dataset":
    """Every strength on validation scenes, the choice, and the arms on test scenes; joined with an earlier result, where one is named."""
    from analysis.methods.beside import comparable, earlier, joined
    from analysis.methods.trial import trial

    if config.beside is None:
        return trial(config, made_by(config))
    before = earlier(QUESTION, config.beside, config)
    return joined(before, trial(config, made_by(config), lambda plain: comparable(before, plain)))


def test(reduced: "xr.Dataset", config: MethodsConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.methods.results import OWN, results
    from analysis.stats.rows import as_json as results_json

    rows, more = results(reduced, seed=config.seed, level=config.level)
    return results_json(rows, QUESTION.origin(reduced, config, checksum, OWN), **more)


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.methods.figures import NOTES, draw_all

    told = {"level": answer.level, "n": answer.found["provenance"]["n"]}
    return {name: (made, NOTES[name].format(**told)) for name, made in draw_all(answer.rows, answer.found).items()}


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under the figure."""
    return answer.origin("git_commit", "model_id", "model_revision", "data_hash", "n")


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.methods.findings import headline, paragraph

    return paragraph(answer.rows, answer.found), headline(answer.found)


if __name__ == "__main__":
    run_cli(MethodsConfig, main)
