"""`python -m analysis.drift`: does attention spread, leave the image, does the hidden state drift, and what does smoothing change?

Records what is missing, reduces it to `drift.nc`, tests (`drift.json`), draws, tells (docs/findings.md). `--redraw` needs no model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from analysis.question.observed import KEPT, ObservedConfig, observed
from analysis.question.question import Question, by_name, compressed, made_by, under_figures
from analysis.telling.pages import PAGE, tell
from probes.command.cli import run_cli
from probes.command.provenance import as_json

QUESTION = Question("drift", kept=KEPT, encoding=compressed)
NOTE = (
    "Lines and points: mean over images; bands and bars: {level:.4g} % cluster BCa interval over images. n: images still generating.\n"
    "Filled points and outlined cells: corrected p < 0.05, sign flip over images; max-T over layers and over cells; "
    "band: Holm over the primary outcomes, else open."
)


@dataclass(frozen=True)
class DriftConfig(ObservedConfig):
    """Entropy, visual mass and drift over decoding steps, with and without KVSmooth: figures, tests and a results file."""

    out: Path = Path("figures/emoji/drift")
    """folder of figures, drift.nc and drift.json"""
    page: Path = PAGE
    """the page that gets the paragraph"""


def main(config: DriftConfig) -> None:
    """Record, reduce, test, draw, tell; each step leaves its file, so that an interrupted run goes on from it."""
    from analysis.drift.summary import summary
    from analysis.drift.told import paragraph

    reduced, found, config = QUESTION.answer(config, measure, test)
    draw(reduced, found, config.out)
    tell(QUESTION.name, paragraph(by_name(found["results"]), found), config.page, config.out)
    print(summary(found))  # noqa: T201  what the command says at its end


def measure(config: DriftConfig) -> xr.Dataset:
    """Record what is missing in both regimes, and reduce it; the replay feeds the baseline's own captions to both arms."""
    from analysis.drift.reduce import reduce

    recordings = observed(config)
    reduced = reduce(recordings, min_steps=config.min_steps, seed=config.seed, level=config.level)
    if config.image_folder is None:
        from analysis.captions.counts import caption_counts
        from probes.subjects.emoji import annotations, scenes

        reduced["caption_counts"] = caption_counts(recordings["free"]["caption"], annotations(scenes(config.images)))
    return reduced.assign_attrs(analysis=as_json(made_by(config)))


def test(reduced: xr.Dataset, config: DriftConfig, checksum: str) -> str:
    """The text of the results file; `checksum` is that of the file of reduced data."""
    from analysis.captions.counts import caption_rows
    from analysis.drift.curves import curves, map_cells, map_steps, rates
    from analysis.drift.results import results
    from analysis.stats.rows import as_json as results_json

    rows = results(reduced, seed=config.seed, level=config.level)
    if "caption_counts" in reduced:
        rows += caption_rows(reduced["caption_counts"], seed=config.seed, level=config.level)
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


def draw(reduced: xr.Dataset, found: Mapping[str, Any], out: Path) -> None:
    """Write every figure as SVG and PNG."""
    from analysis.drift.figures import draw_all
    from analysis.plots.style import house, save

    rows = by_name(found["results"])
    about = under_figures(reduced, found)
    with house():
        for name, made in draw_all(reduced, rows).items():
            save(made, out / name, about, NOTE.format(level=100 * found["provenance"]["config"]["level"]))


if __name__ == "__main__":
    run_cli(DriftConfig, main)
