"""`python -m analysis.coupling`: are objects more or less probable at the steps where attention is spread, and is it more than position?

Records what is missing, reduces it to `coupling.nc`, tests (`coupling.json`), draws, and writes its paragraph. `--redraw` needs no model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from analysis.coupling.names import WITHOUT_FIRST
from analysis.objects.sample_sizes import sample_sizes
from analysis.question.command import QuestionOutcome, run_question
from analysis.question.images import shown
from analysis.question.question import Question, made_by
from analysis.question.recordings import KEPT, RecordingsConfig, recordings_of
from analysis.telling.pages import PAGE
from probes.command.cli import run_cli
from probes.command.strict_json import as_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEP = 1e-4
"""To which coefficients of images are kept, a hundredth of the sampling error of one image."""
NOTES = {
    "coupling": "Spearman's correlation of row entropy (mean over heads) with an object's rank (1: most probable) in a caption, both less "
    "their mean over images at the step and their line.\nBars: {level:.4g} % cluster BCa interval over images. Grey: 95 % of turned "
    "series, no smoothing. Filled: p < 0.05, max-T; top: turned series and sign flip; bottom (Δ: KVSmooth − none): sign flip.",
    "cosine": "Mean of the smoothed layers. Cosine: of entropy and ranks over the steps, as in the paper. Adjusted: less the mean over "
    "images at the step, given the step; specific: logit below absent, other.\nBars: {level:.4g} % cluster BCa interval over images "
    "(n = {n}, hallucinated {few}). Filled: p < 0.05, max-T over layers and band (sign flip over images; d, e, f: turned series too).",
}


def encoding(reduced: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Coefficients to `STEP`, others in single precision; compressed."""
    made: dict[str, dict[str, Any]] = {}
    for name, values in reduced.data_vars.items():
        if values.dtype.kind == "f" and values.ndim:
            made[str(name)] = {"zlib": True, "complevel": 6, "shuffle": True, "dtype": "float32"}
            if name == "rho":
                made[str(name)] |= {"dtype": "int16", "scale_factor": STEP, "_FillValue": np.int16(-32768)}
    return made


QUESTION = Question("coupling", kept=KEPT, encoding=encoding)


@dataclass(frozen=True)
class CouplingConfig(RecordingsConfig):
    """Row entropy against the ranks of objects at the same step, within captions: figures, tests, results."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20",
        "--redraw",
        "--subject models/mine --image-folder photos --annotations instances.json --images 50",
    )
    out: Path = Path("figures/emoji/coupling")
    """folder of figures, coupling.nc and coupling.json"""
    page: Path = PAGE
    """the page that gets the paragraph"""
    annotations: Path | None = None
    """objects of the images of --image-folder, in COCO's instances format; a bundled subject brings its own"""


def main(config: CouplingConfig) -> None:
    """Record, reduce, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words)


def measure(config: CouplingConfig) -> xr.Dataset:
    """Record what is missing in both regimes, and reduce it; the replay feeds the baseline's own captions to both arms."""
    from analysis.coupling.reduce import VARIABLES, reduce

    seen = shown(config, config.annotations)
    recordings = recordings_of(config, ("free", "replay"), variables=VARIABLES, items=seen.items)
    reduced = reduce(recordings, seen.annotations, min_steps=config.min_steps, seed=config.seed)
    return reduced.assign_attrs(analysis=as_json(made_by(config)))


def test(reduced: xr.Dataset, config: CouplingConfig, checksum: str) -> str:
    """The text of the results file; `checksum` is that of the file of reduced data."""
    from analysis.coupling.results import results
    from analysis.stats.rows import as_json as results_json

    rows = results(reduced, seed=config.seed, level=config.level)
    layers = sum(str(place).isdigit() for place in reduced["place"].values)
    return results_json(
        rows,
        QUESTION.origin(reduced, config, checksum, own=("dropped", "unannotated")),
        exclusions=exclusions(reduced),
        counted=sample_sizes(reduced) | {"layers": layers, "turns": int(reduced.attrs["draws"])},
    )


def exclusions(reduced: xr.Dataset) -> dict[str, Any]:
    """Images without annotations, captions too short, and objects whose first tokens tell nothing."""
    short = {}
    for regime in reduced["regime"].values:
        steps = reduced["steps"].sel(regime=regime)
        short[str(regime)] = {
            str(arm): [int(i) for i in reduced["image"].values[steps.sel(arm=arm).values == 0]] for arm in reduced["arm"].values
        }
    objects, lost = json.loads(reduced.attrs["dropped"]), json.loads(reduced.attrs["unannotated"])
    return {"objects": objects, "unannotated_images": lost, "too_short": short, "min_steps": int(reduced.attrs["min_steps"])}


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.coupling.figures import draw_all

    places = [str(place) for place in answer.reduced["place"].values if place != WITHOUT_FIRST]
    told = {"level": answer.level, "n": answer.reduced.sizes["image"], "few": answer.found["counted"]["images_with"]["hallucinated"]}
    return {name: (made, NOTES[name].format(**told)) for name, made in draw_all(answer.rows, places).items()}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.coupling.findings import paragraph, summary

    return paragraph(answer.rows, answer.found), summary(answer.rows, answer.found)


if __name__ == "__main__":
    run_cli(CouplingConfig, main)
