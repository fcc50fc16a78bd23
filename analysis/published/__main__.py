"""`python -m analysis.published`: caption logs of large models scored, each method told from saying less and from repeating itself.

No model runs. `--redraw` makes figures and page from published.nc and published.json alone, without the captions.
"""

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, made_by
from analysis.score.options import Mode
from analysis.telling.pages import check_marks
from probes.command.cli import BadInput, Notice, run_cli
from probes.command.files import writable
from probes.command.strict_json import as_json
from probes.options import check_level, check_not_negative, check_seed

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def _encoding(reduced: "xr.Dataset") -> dict[str, dict]:
    from analysis.published.data import encoding

    return encoding(reduced)


QUESTION = Question("published", kept=("level", "seed", "mode", "fluency"), encoding=_encoding)


@dataclass(frozen=True)
class PublishedConfig:
    """Do methods lower CHAIR by seeing better, by saying less, or by repeating? Caption logs of models that have spoken."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--captions logs --annotations ground_truth.jsonl",
        "--captions logs --table mine.csv --annotations ground_truth.jsonl --out out/mine --page out/mine/page.md",
        "--redraw",
    )
    RESUMES: ClassVar[bool] = True
    captions: Path | None = None
    """folder of the logs, one file or folder a method: JSON lines {"image_id", "caption"}, or another program's log (docs/scoring.md)"""
    annotations: Path | None = None
    """JSON lines {"image_id", "objects"}: all that is in each image, what people's captions name included"""
    table: Path | None = None
    """CSV with the columns file, model, method and, if known, settings, repository, path, licence; left out: logs.csv in that folder or
    beside it. Methods are compared with the method "greedy" of the same model and repository"""
    mode: Mode = "exact"
    """how words are read: exact (NLTK, as the reference), bundled (no download), auto (exact where NLTK and its data are found)"""
    fluency: int = 20
    """images of each log, those of the lowest numbers, whose captions the packaged language model reads; 0: none"""
    level: float = 0.95
    """coverage of the intervals, in (0, 1)"""
    seed: int = 0
    """of bootstrap and exchange"""
    store: Path = Path("recordings/published")
    """folder of what logs come to; what lies there is not scored again"""
    out: Path = Path("figures/published")
    """folder of the figures, published.nc and published.json"""
    page: Path = Path("docs/published.md")
    """the page that gets the text"""
    redraw: bool = False
    """figures and page from published.nc and published.json, without the captions"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        check_level(self)
        check_seed(self)
        check_not_negative(self, "fluency")

    @property
    def subject(self) -> str:
        """What files of a trial are named after."""
        return "published"

    @property
    def images(self) -> str:
        """What files of a trial are named after, behind the subject."""
        return "trial"


def main(config: PublishedConfig) -> None:
    """Score, compare, draw, tell."""
    if not config.redraw and (config.captions is None or config.annotations is None):
        raise BadInput("--captions and --annotations are needed: the folder of the logs, and what is in their images; or give --redraw.")
    if not config.redraw:
        _refused_now(config)
    # where the captions lie is no part of what is found: their hash is
    stated = replace(config, captions=None, annotations=None, table=None)
    reduced = None if config.redraw else measure(config, stated)
    if reduced is not None:
        stated = _of_others(stated, reduced)
    run_question(QUESTION, stated, lambda _: reduced, test, figures, words, about)


def _refused_now(config: PublishedConfig) -> None:
    """What would be found out when all logs have been scored."""
    from analysis.language.reading import how_many

    check_marks(QUESTION.name, config.page, config.out)
    how_many(config.fluency, "--fluency")
    if config.out != PublishedConfig.out:
        writable(config.out)


def measure(config: PublishedConfig, stated: PublishedConfig) -> "xr.Dataset":
    """Read and score the logs; families of which nothing by caption may be kept are compared at once."""
    from analysis.published.data import packed, packed_fluency
    from analysis.published.fluency import fluency_rows, read_fluency
    from analysis.published.logs import read_logs
    from analysis.published.reading import objects, read_spoken
    from analysis.published.results import found_of
    from analysis.words.readers import reader

    logs, read = read_logs(config.captions, config.table), reader(config.mode)
    spoken, data = read_spoken(logs, config.annotations, read, config.store)
    names = objects(read)
    closed = {log.family for log in logs if not log.open}
    chosen = [log for log in logs if log.family in closed]
    found = found_of(chosen, spoken, len(names), level=config.level, seed=config.seed, store=config.store)
    fluent = read_fluency(logs, config.fluency, config.store)
    rows = fluency_rows(chosen, fluent, level=config.level, seed=config.seed)
    further = packed_fluency(logs, fluent, rows)
    reduced = packed(logs, spoken, found, names).merge(further)
    reduced.attrs |= further.attrs
    captions = sum(len(one.images) for one in spoken.values())
    reduced.attrs["analysis"] = as_json(made_by(stated) | {"data_hash": data, "n": captions, "words": read.mode})
    return reduced


def test(reduced: "xr.Dataset", config: PublishedConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.published.data import OWN, listed, unpacked, unpacked_fluency
    from analysis.published.fluency import fluency_rows
    from analysis.published.results import found_of, results
    from analysis.stats.rows import as_json as results_json

    logs = listed(reduced)
    spoken, closed = unpacked(reduced)
    objects = len(json.loads(reduced.attrs["objects"]))
    chosen = [log for log in logs if log.family not in closed]
    found = found_of(chosen, spoken, objects, level=config.level, seed=config.seed, store=config.store) | closed
    fluent, further = unpacked_fluency(reduced)
    further += fluency_rows(chosen, fluent, level=config.level, seed=config.seed)
    rows, more = results(logs, found, further)
    return results_json(rows, QUESTION.origin(reduced, config, checksum, OWN), **more)


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.published.figures import draw_all

    return draw_all(answer.rows, answer.found, answer.level)


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under the figures."""
    return answer.origin("git_commit", "data_hash", "n", "seed")


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The text of the page, and what the command says at its end."""
    from analysis.published.findings import paragraph, summary

    return paragraph(answer.rows, answer.found), summary(answer.rows, answer.found)


def _of_others(config: PublishedConfig, reduced: "xr.Dataset") -> PublishedConfig:
    """Other captions than those that the committed results tell of go to a folder of their own, as other settings do."""
    default = PublishedConfig()
    data = json.loads(reduced.attrs["analysis"])["data_hash"]
    path = QUESTION.results(default.out)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["provenance"]["data_hash"]
    except (OSError, ValueError, KeyError, TypeError):
        return config
    if config.out != default.out or told == data:
        return config
    folder = Path("out") / f"published-{data[:8]}"
    warnings.warn(f"files go to {folder / 'published'}; {default.out} and {default.page} tell of other captions.", Notice, stacklevel=2)
    page = folder / default.page.name if config.page == default.page else config.page
    return replace(config, out=folder / "published", page=page)


if __name__ == "__main__":
    run_cli(PublishedConfig, main)
