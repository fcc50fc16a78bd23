"""`python -m analysis.drift`: does attention spread, leave the image, does the hidden state drift, and what does smoothing change?

Records what is missing, reduces it to `drift.nc`, tests (`drift.json`), draws, tells (docs/findings.md). `--redraw` needs no model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import xarray as xr

from analysis.question.command import QuestionOutcome, run_question
from analysis.question.images import shown
from analysis.question.question import Question, compressed, made_by
from analysis.question.recordings import KEPT, RecordingsConfig, recordings_of
from analysis.telling.pages import PAGE
from probes.command.cli import BadInput, run_cli
from probes.command.strict_json import as_json
from probes.options import check_not_negative

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question("drift", kept=KEPT, encoding=compressed)
NOTE = (
    "Lines and points: mean over images; bands and bars: {level:.4g} % cluster BCa interval over images. n: images still generating.\n"
    "Filled points and outlined cells: corrected p < 0.05, sign flip over images; max-T over layers and over cells; "
    "band: Holm over the primary outcomes, else open."
)


@dataclass(frozen=True)
class DriftConfig(RecordingsConfig):
    """Entropy, visual mass and drift over decoding steps, with and without KVSmooth: figures, tests and a results file."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20",
        "--redraw",
        "--subject models/mine --image-folder photos --annotations instances.json --images 50",
    )
    out: Path = Path("figures/emoji/drift")
    """folder of figures, drift.nc and drift.json"""
    page: Path = PAGE
    """the page that gets the paragraph"""
    annotations: Path | None = None
    """objects of the images of --image-folder, in COCO's instances format, for CHAIR of the captions; a bundled subject brings its own"""
    fluent: int | None = None
    """free captions of each arm that the packaged language model reads, the first ones, where captions are scored; 0: none; left out:
    50, or none where it is not installed"""

    def __post_init__(self):
        super().__post_init__()
        check_not_negative(self, "fluent")


def main(config: DriftConfig) -> None:
    """Record, reduce, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words)


def measure(config: DriftConfig) -> xr.Dataset:
    """Record what is missing in both regimes, and reduce it; the replay feeds the baseline's own captions to both arms."""
    from analysis.drift.fluent import caption_fluency
    from analysis.drift.reduce import reduce
    from analysis.language.reading import how_many

    known = config.image_folder is None or config.annotations is not None  # images of one's own may come without their objects
    seen = shown(config, config.annotations) if known else None
    if seen is None and config.fluent:
        raise BadInput(f"--fluent {config.fluent}: captions of images without --annotations are not scored; leave it out.")
    fluent = how_many(config.fluent) if seen is not None else 0
    recordings = recordings_of(config, items=None if seen is None else seen.items)
    reduced = reduce(recordings, min_steps=config.min_steps, seed=config.seed, level=config.level)
    if seen is not None:
        from analysis.captions.counts import caption_counts

        reduced["caption_counts"] = caption_counts(recordings["free"]["caption"], seen.annotations)
    if fluent:
        reduced = reduced.merge(caption_fluency(recordings["free"]["caption"], fluent, config.seed))
    return reduced.assign_attrs(analysis=as_json(made_by(config)), examples=as_json(examples(recordings["free"])))


def examples(recording: xr.Dataset) -> dict[str, Any]:
    """What each arm says of the first image: captions are to be looked at before what is measured of them."""
    first = recording.isel(image=0)
    return {"image": int(first["image"]), **{str(arm): str(first["caption"].sel(arm=arm).item()) for arm in recording["arm"].values}}


def test(reduced: xr.Dataset, config: DriftConfig, checksum: str) -> str:
    """The text of the results file; `checksum` is that of the file of reduced data."""
    from analysis.captions.counts import caption_rows
    from analysis.drift.curves import curves, map_cells, map_steps, rates
    from analysis.drift.fluent import free_rows
    from analysis.drift.results import results
    from analysis.stats.rows import as_json as results_json

    rows = results(reduced, seed=config.seed, level=config.level)
    if "caption_counts" in reduced:
        rows += caption_rows(reduced["caption_counts"], seed=config.seed, level=config.level)
    if "nll" in reduced:
        rows += free_rows(reduced, seed=config.seed, level=config.level)
    return results_json(
        rows,
        QUESTION.origin(reduced, config, checksum, own=("units",)),
        exclusions=exclusions(reduced),
        curves=list(curves(reduced)),
        maps=list(map_cells(reduced)),
        map_steps=list(map_steps(reduced)),
        rates=list(rates(reduced)),
    )


def exclusions(reduced: xr.Dataset) -> dict[str, Any]:
    """By regime: images recorded, images left out because a text is too short, and values that are missing inside a caption."""
    told = {}
    for regime in reduced["regime"].values:
        data = reduced.sel(regime=regime)
        lost = data["missing"].fillna(0)
        told[str(regime)] = {
            "images": int((data["steps"] > 0).any("arm").sum()),
            "too_short": [int(image) for image in data["image"].values[data["excluded"].values.astype(bool)]],
            "min_steps": int(reduced.attrs["min_steps"]),
            "missing_values": {
                str(name): int(count) for name, count in zip(lost["quantity"].values, lost.values, strict=True) if count > 0
            },
        }
    return told


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.drift.figures import draw_all

    note = NOTE.format(level=answer.level)
    return {name: (made, note) for name, made in draw_all(answer.reduced, answer.rows).items()}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.drift.findings import paragraph
    from analysis.drift.summary import summary

    return paragraph(answer.rows, answer.found), summary(answer.found)


if __name__ == "__main__":
    run_cli(DriftConfig, main)
