"""`python -m analysis.language`: how much smoothing a language model bears, measured on given texts; no image is needed.

`--redraw` makes figure and page from language.nc and language.json alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import xarray as xr

from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, compressed, made_by
from probes.command.cli import BadInput, quiet, run_cli
from probes.command.strict_json import as_json
from probes.options import check_level, check_positive, check_rates, check_seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question("language", kept=("model", "level", "seed", "lambda_ref", "prefix"), encoding=compressed)
BAND = 5
"""Layers that a decoder must have: the paper's band leaves out the first three and the last."""


@dataclass(frozen=True)
class LanguageConfig:
    """How much smoothing does a language model bear? Perplexity of texts, teacher forced token by token inside KVSmooth."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--model Qwen/Qwen2.5-0.5B --device cuda --dtype bfloat16",
        "--model models/mine --texts captions.jsonl",
        "--texts captions --out figures/language/captions --page docs/language_captions.md",
        "--redraw",
    )
    model: str = "smollm2-base"
    """smollm2-base (packaged), a bundled subject, a folder of a causal language model, or a hub id"""
    texts: Path | None = None
    """paragraphs (sixty of the project; the default), captions (of the bundled subjects, unsmoothed), or a file: paragraphs that blank
    lines part, or JSON lines (.jsonl, .json) with "caption" or "text" in each"""
    longest: int = 96
    """tokens read of each text, at most"""
    prefix: int = 10
    """tokens that are read together before smoothing begins, as a prompt is"""
    batch_size: int = 20
    """texts read together"""
    lambda_ref: float = 0.7
    """centre of the paper's clip, in [0, 1]"""
    level: float = 0.95
    """coverage of the intervals"""
    seed: int = 0
    """of whatever is drawn at random"""
    device: str = "cpu"
    """cpu, cuda or cuda:<n>"""
    dtype: str = "float32"
    """float32, bfloat16 or float16"""
    redraw: bool = False
    """figure and page from the files in --out, without a model"""
    out: Path = Path("figures/language")
    """folder of the figure, language.nc and language.json"""
    page: Path = Path("docs/language.md")
    """the page that gets the paragraph"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        check_positive(self, "longest", "prefix", "batch_size")
        check_rates(self, "lambda_ref")
        check_level(self)
        check_seed(self)
        if self.longest < self.prefix + 2:
            raise BadInput(f"LanguageConfig.longest must be {self.prefix + 2} or more, --prefix and two tokens; got {self.longest}.")


def main(config: LanguageConfig) -> None:
    """Read, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words, about)


def measure(config: LanguageConfig) -> xr.Dataset:
    """Every arm over every text."""
    from analysis.cells.plan_setting import PlanSetting
    from analysis.language.measure import losses
    from analysis.language.models import language_model
    from analysis.language.plan import arms
    from analysis.language.texts import OWN, read_texts, tokenized
    from kvsmooth.decoding.attention import decoder_of
    from probes.command.provenance import digest

    quiet()
    texts = read_texts(config.texts or OWN)  # first: told at once, where a model takes its time to load
    if len(texts) < 2:
        raise BadInput(
            f"--texts {config.texts}: holds one text; intervals and tests are over texts, give two or more, a blank line between."
        )
    read = language_model(config.model, config.device, config.dtype)
    chosen = tokenized([text for text, _ in texts], read.tokenizer, config.longest, config.prefix + 2)
    if len(chosen) < 2:
        least = config.prefix + 2
        raise BadInput(
            f"--texts {config.texts or OWN.name}: {len(chosen)} of {len(texts)} texts have {least} tokens or more; two are needed: give "
            "more or longer ones, or a smaller --prefix."
        )
    read.check([text.ids for text in chosen])
    layers = len(decoder_of(read.model).layers)
    if layers < BAND:
        raise BadInput(f"--model {config.model}: has {layers} layers; the paper's band needs {BAND} or more.")
    base = {"lambda_ref": config.lambda_ref, "exact": False}
    made = losses(read, chosen, arms(PlanSetting(config.lambda_ref, layers)), base, config.prefix, config.batch_size)
    told = {"model_id": config.model, "model_revision": read.revision, "data_hash": digest(text for text, _ in texts), "n": len(chosen)}
    images = [texts[one.number].image for one in chosen]
    if any(image is not None for image in images):  # a text of no image is one for itself
        made = made.assign_coords(image=("text", [image or f"of text {one.number}" for image, one in zip(images, chosen, strict=True)]))
    return made.assign_attrs(analysis=as_json({**made_by(config), **told, "texts_left_out": len(texts) - len(chosen)}))


def test(reduced: xr.Dataset, config: LanguageConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.language.results import results
    from analysis.stats.rows import as_json as results_json

    return results_json(results(reduced, seed=config.seed, level=config.level), QUESTION.origin(reduced, config, checksum))


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.language.figures import NOTE, draw_all
    from analysis.language.results import unit

    told, reduced = unit(answer.reduced), answer.reduced
    of_images = f" of {len(set(reduced['image'].values))} images" if told == "images" else ""
    note = NOTE.format(level=answer.level, n=reduced.sizes["text"], of_images=of_images, unit=told)
    return {name: (made, note) for name, made in draw_all(answer.rows).items()}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.language.findings import paragraph, summary

    return paragraph(answer.rows, answer.found), summary(answer.rows, answer.found)


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under the figure."""
    return answer.origin("git_commit", "model_id", "model_revision", "data_hash", "n", "seed")


if __name__ == "__main__":
    run_cli(LanguageConfig, main)
