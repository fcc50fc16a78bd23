"""`python -m analysis.sinks`: what do the sink detectors agree on, and does any predict the attention that a token will receive?

And what are sinks made of: rank of head outputs, outlying patches, lives of secondary ones. Feeds each caption back whole, keeps what is
needed of it in the store, reduces that to `sinks.nc`, tests (`sinks.json`), draws, tells. `--redraw` draws from these
two files, without a model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import xarray as xr

from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, made_by
from analysis.sinks.files import encoding, in_double
from analysis.telling.pages import PAGE
from probes.command.cli import run_cli
from probes.command.strict_json import as_json, as_plain
from probes.options import ImageOptions, check_level

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question("sinks", kept=("level", "seed", "detectors"), encoding=encoding, opened=in_double, recorded=("seed",))


@dataclass(frozen=True)
class SinksConfig(ImageOptions):
    """What the sink detectors agree on, what they predict, and what Observation 2 is worth: figures, tests and a results file."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20",
        "--captions captions.json --images 20",
        "--redraw",
        "--subject models/mine --image-folder photos --images 50",
    )
    RESUMES: ClassVar[bool] = True
    out: Path = Path("figures/emoji/sinks")
    """folder of figures, sinks.nc and sinks.json"""
    store: Path = Path("recordings/sinks")
    """folder of the measured texts; what lies there is not measured again"""
    recordings: Path = Path("recordings")
    """folder of recordings, whose free captions of the baseline are fed back if they fit; else captions are made"""
    captions: Path | None = None
    """captions to feed back instead: a JSON object from image_id to a text or token ids"""
    detectors: tuple[str, ...] = ()
    """sink detectors of one's own, as my_module:MyDetector, beside those that `python -m kvsmooth` names"""
    page: Path = PAGE
    """the page whose paragraph is written anew"""
    redraw: bool = False
    """draw from the files in --out only, with the options they were made with; needs no model"""
    level: float = 0.95
    """coverage of the intervals"""
    seed: int = 0
    """of bootstrap, permutations and shuffle nulls"""

    def __post_init__(self):
        super().__post_init__()
        check_level(self)
        for name in () if self.redraw else self.detectors:  # a redraw runs none, and need not find the modules that a run found
            from kvsmooth.sinks import SINKS
            from kvsmooth.sinks.chosen import detector_class

            if name in SINKS:
                raise ValueError(f"SinksConfig.detectors: {name} is asked about anyway; name one's own alone, as module:Class.")
            try:
                detector_class(name)
            except ValueError as error:
                raise ValueError(f"SinksConfig.detectors: {error}") from error


def main(config: SinksConfig) -> None:
    """Measure, reduce, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words, about)


def measure(config: SinksConfig) -> xr.Dataset:
    """Feed back every caption that is not in the store yet, and reduce all of them."""
    from analysis.sinks.anatomy.measure import measured as taken_apart
    from analysis.sinks.cache import cached
    from analysis.sinks.reduce import reduce
    from analysis.sinks.scores import detectors
    from analysis.sinks.texts import measured, read_captions
    from probes.session import Session

    subject, items = config.subject_and_items()
    captions = None if config.captions is None else read_captions(config.captions, [item.image_id for item in items])
    session = Session(
        subject,
        items,
        {"baseline": None},
        "replay",
        config.recordings,
        captions,
        batch_size=config.batch_size,
        max_new_tokens=config.max_new_tokens,
    )
    texts = list(measured(session, config.store, config.seed, config.detectors))
    images, chosen = [item.image_id for item in items], detectors(subject, config.detectors)
    about = {"images": images, "detectors": as_plain(chosen), "level": config.level, "seed": config.seed}
    reduced = cached(config.store, texts, about, lambda: reduce(texts, images, chosen, level=config.level, seed=config.seed))
    apart = taken_apart(session, config.store)
    reduced = xr.merge([reduced, apart], join="exact", combine_attrs="no_conflicts")
    return reduced.assign_attrs(analysis=as_json({**made_by(config), "subject": subject.name, "model_revision": subject.revision}))


def test(reduced: xr.Dataset, config: SinksConfig, checksum: str) -> str:
    """The text of the results file; `checksum` is that of the file of reduced data."""
    from analysis.sinks.anatomy.results import results as anatomy
    from analysis.sinks.results import results
    from analysis.stats.rows import as_json as results_json

    rows = [*results(reduced, seed=config.seed, level=config.level), *anatomy(reduced, seed=config.seed, level=config.level)]
    origin = json.loads(reduced.attrs["analysis"])
    short = [int(i) for i, steps in zip(reduced["image"].values, reduced["steps"].values, strict=True) if steps < reduced.attrs["fewest"]]
    counted = {
        "images": reduced.sizes["image"],
        "too_short_for_correlations": short,
        "tokens_with_enough_later_queries": {
            str(w): int(n) for w, n in zip(reduced["window"].values, reduced["tokens"].values / reduced.sizes["layer"], strict=True)
        },
    }
    channels = json.loads(reduced.attrs["channels"])
    return results_json(rows, {**origin, QUESTION.checksum: checksum}, counted=counted, sink_channels=channels)


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.sinks.figures import NOTES, draw_all

    level = 100 * float(answer.reduced.attrs["level"])
    return {name: (made, NOTES[name].format(level=level)) for name, made in draw_all(answer.reduced, answer.rows).items()}


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under each figure."""
    origin, seed = json.loads(answer.reduced.attrs["analysis"]), answer.reduced.attrs["seed"]
    told = {"git_commit": origin["git_commit"], "model_id": origin["subject"], "model_revision": origin["model_revision"]}
    return told | {"n": answer.reduced.sizes["image"], "seed": seed.item() if hasattr(seed, "item") else seed}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.sinks.findings import paragraph
    from analysis.sinks.summary import summary

    return paragraph(answer.reduced, answer.rows, answer.found), summary(answer.reduced, answer.rows)


if __name__ == "__main__":
    run_cli(SinksConfig, main)
