"""`python -m analysis.mechanism`: whether controls of the same size move attention and hidden states as KVSmooth does.

`--redraw` makes figure and page from mechanism.nc and mechanism.json alone.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, compressed, made_by
from analysis.question.recordings import KEPT, RecordingsConfig
from probes.command.cli import BadInput, run_cli
from probes.command.strict_json import as_json
from probes.options import check_rates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question("mechanism", kept=(*KEPT, "lambda_ref", "rate"), encoding=compressed)
RECORDERS = ("entropy", "mass", "drift", "smoothing")
WITH_OBJECTS = (*RECORDERS, "lens")


@dataclass(frozen=True)
class MechanismConfig(RecordingsConfig):
    """Is the mechanism KVSmooth's own? Attention, drift and objects on the same tokens under KVSmooth and under controls of its size."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--subject smollm2 --images 40 --batch-size 20", "--redraw")
    annotations: Path | None = None
    """objects of the images of --image-folder, in COCO's instances format; without them objects are not looked at"""
    images: int = 100
    """how many images; the unit of every test"""
    recordings: Path = Path("recordings/mechanism")
    """folder of the recordings; what lies there is not recorded again"""
    rate: float = 0.6
    """of the constant rate: KVSmooth's mean at the published dose"""
    out: Path = Path("figures/emoji/mechanism")
    """folder of the figure, mechanism.nc and mechanism.json"""
    page: Path = Path("docs/mechanism.md")
    """the page that gets the paragraph"""

    def __post_init__(self):
        super().__post_init__()
        check_rates(self, "rate")


def main(config: MechanismConfig) -> None:
    """Record, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words)


def arms(config: MechanismConfig) -> dict[str, Any]:
    """By name, the methods: no smoothing, the paper's, and its controls; biases of the image are found later (`equal_mass`)."""
    from kvsmooth import KVSmooth
    from kvsmooth.policies import Constant

    paper = KVSmooth(lambda_ref=config.lambda_ref)
    controls = {mix: replace(paper, mix=mix) for mix in ("shrink_only", "norm_preserving", "random_direction")}
    return {"baseline": None, "kvsmooth": paper, "constant": replace(paper, policy=Constant(config.rate)), **controls}


def measure(config: MechanismConfig) -> xr.Dataset:
    """Every arm reads the captions without smoothing; and, where the objects of the images are known, writes its own."""
    from analysis.mechanism.equal_mass import biases
    from analysis.mechanism.measures import OF_OBJECTS, OF_STATES, measured
    from analysis.mechanism.objects import objects_measured
    from analysis.question.images import shown
    from analysis.question.recordings import band
    from probes.command.provenance import digest
    from probes.session import record

    seen = shown(config, config.annotations) if config.image_folder is None or config.annotations is not None else None
    subject, items = config.subject_and_items(None if seen is None else seen.items)
    options: dict[str, Any] = {"batch_size": config.batch_size, "max_new_tokens": config.max_new_tokens}
    every = arms(config)
    # biases are found on these images, so that recordings of other ones have other arms
    folder = config.recordings / digest(str(item.image_id) for item in items)
    every |= biases(subject, items, every["kvsmooth"], folder / "equal_mass", **options)
    if seen is not None:
        free = record(subject, items, every, "free", folder, recorders=("probability",), **options)
    replay = record(subject, items, every, "replay", folder, recorders=RECORDERS if seen is None else WITH_OBJECTS, **options)
    values, names = measured(replay, band({"replay": replay})), list(OF_STATES)
    if not np.isfinite(values).all((0, 2)).any():
        raise BadInput(f"--subject {config.subject}: no caption is long enough for a slope; give more --images or --max-new-tokens.")
    if seen is not None:
        values = np.concatenate((values, objects_measured(replay, free, seen.annotations, config.min_steps)), axis=-1)
        names += OF_OBJECTS
    made = xr.Dataset(
        {"measure": (("arm", "image", "name"), values)}, {"arm": replay["arm"].values, "image": replay["image"].values, "name": names}
    )
    return made.assign_attrs({**replay.attrs, "analysis": as_json(made_by(config))})


def test(reduced: xr.Dataset, config: MechanismConfig, checksum: str) -> str:
    """The text of the results file."""
    from analysis.mechanism.results import results
    from analysis.stats.rows import as_json as results_json

    return results_json(results(reduced, seed=config.seed, level=config.level), QUESTION.origin(reduced, config, checksum))


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.mechanism.figures import NOTE, draw_all

    note = NOTE.format(level=answer.level, n=answer.rows["kvsmooth/entropy"]["n"])
    return {name: (made, note) for name, made in draw_all(_arms(answer), answer.rows).items()}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.mechanism.findings import paragraph, summary

    return paragraph(_arms(answer), answer.rows, answer.found), summary(_arms(answer), answer.rows)


def _arms(answer: QuestionOutcome) -> list[str]:
    return [str(arm) for arm in answer.reduced["arm"].values]


if __name__ == "__main__":
    run_cli(MechanismConfig, main)
