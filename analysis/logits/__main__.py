"""`python -m analysis.logits`: do logits of present objects fall and those of hallucinated ones rise, once what is said is set aside?

Records what is missing, reduces it to `logits.nc`, tests (`logits.json`), draws, and writes its paragraph. `--redraw` needs no model.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from analysis.objects.annotated import annotations_of
from analysis.objects.counted import counted
from analysis.objects.names import BIN
from analysis.question.observed import KEPT, ObservedConfig, observed
from analysis.question.question import Question, by_name, compressed, made_by, under_figures
from analysis.telling.pages import PAGE, tell
from probes.command.cli import run_cli
from probes.command.provenance import as_json

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
class LogitsConfig(ObservedConfig):
    """Logits, log-probabilities and ranks of objects over decoding steps, with and without KVSmooth: figures, tests, results."""

    out: Path = Path("figures/emoji/logits")
    """folder of figures, logits.nc and logits.json"""
    page: Path = PAGE
    """the page that gets the paragraph"""
    annotations: Path | None = None
    """objects of the images, in COCO's instances format; the bundled subject brings its own"""


def main(config: LogitsConfig) -> None:
    """Record, reduce, test, draw, tell; each step leaves its file, so that an interrupted run goes on from it."""
    from analysis.logits.told import paragraph, summary

    reduced, found, config = QUESTION.answer(config, measure, test)
    rows = by_name(found["results"])
    draw(reduced, found, config.out)
    tell(QUESTION.name, paragraph(rows, found), config.page, config.out)
    print(summary(rows, found))  # noqa: T201  what the command says at its end


def measure(config: LogitsConfig) -> xr.Dataset:
    """Record what is missing in both regimes, and reduce it; the replay feeds the baseline's own captions to both arms."""
    from analysis.logits.reduce import VARIABLES, reduce

    annotations = annotations_of(config, config.annotations)
    recordings = observed(config, ("free", "replay"), variables=VARIABLES)
    reduced = reduce(recordings, annotations, min_steps=config.min_steps, seed=config.seed, level=config.level)
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
        counted=counted(reduced),
    )


def exclusions(reduced: xr.Dataset) -> dict[str, Any]:
    """Images without annotations, images too short in an arm by regime, and objects whose first tokens tell nothing."""
    short = {
        str(regime): [int(i) for i in reduced["image"].values[reduced["steps_used"].sel(regime=regime).values == 0]]
        for regime in reduced["regime"].values
    }
    objects, lost = json.loads(reduced.attrs["dropped"]), json.loads(reduced.attrs["unannotated"])
    return {"objects": objects, "unannotated_images": lost, "too_short": short, "min_steps": int(reduced.attrs["min_steps"])}


def draw(reduced: xr.Dataset, found: Mapping[str, Any], out: Path) -> None:
    """Write every figure as SVG and PNG."""
    from analysis.logits.figures import draw_all
    from analysis.plots.style import house, save

    level = 100 * found["provenance"]["config"]["level"]
    counted = found["counted"]
    shared = {"bin": BIN, "steps": counted["median_steps"]["free"], **counted["images_with"]}
    with house():
        for name, made in draw_all(reduced, by_name(found["results"])).items():
            save(made, out / name, under_figures(reduced, found), NOTES[name].format(level=level, **shared))


if __name__ == "__main__":
    run_cli(LogitsConfig, main)
