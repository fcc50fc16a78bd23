"""`python -m analysis.drift`: does attention spread, leave the image, does the hidden state drift, and what does smoothing change?

Records what is missing, reduces it to `drift.nc`, tests (`drift.json`), draws. `--redraw` draws from these two files, without a model.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from analysis.question import Question, by_name, compressed, made_by
from probes import DEFAULT_BATCH
from probes.cli import BadInput, run_cli
from probes.provenance import as_json

QUESTION = Question("drift", kept=("level", "seed", "min_steps"), encoding=compressed)
NOTE = (
    "Lines and points: mean over images; bands and bars: {level:.4g} % cluster BCa interval over images. n: images still generating.\n"
    "Filled points and outlined cells: corrected p < 0.05, sign flip over images; max-T over layers and over cells; "
    "band: Holm over the primary outcomes, else open."
)


@dataclass(frozen=True)
class DriftConfig:
    """Entropy, visual mass and drift over decoding steps, with and without KVSmooth: figures, tests and a results file."""

    subject: str = "emoji"
    """the bundled "emoji", a folder of a saved model, or a hub id"""
    images: int = 200
    """how many images; the unit of every test"""
    image_folder: Path | None = None
    """a folder of images; the bundled subject brings its own"""
    prompt: str = "Please describe this image in detail."
    """what is asked about each image"""
    out: Path = Path("figures/drift")
    """folder of figures, drift.nc and drift.json"""
    recordings: Path = Path("recordings")
    """folder of the recordings; what lies there is not recorded again"""
    redraw: bool = False
    """draw from the files in --out only, with the options they were made with; needs no model"""
    lambda_ref: float = 0.7
    """KVSmooth's reference rate, in [0, 1]"""
    batch_size: int = DEFAULT_BATCH
    """images a batch"""
    max_new_tokens: int = 160
    """longest caption, tokens"""
    min_steps: int = 8
    """images with fewer generated tokens in either arm are left out of the tests"""
    level: float = 0.95
    """coverage of the intervals"""
    seed: int = 0
    """of bootstrap and permutations"""
    device: str = "cpu"
    """cpu, cuda or cuda:<n>"""
    dtype: str = "float32"
    """float32, bfloat16 or float16"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        for name in ("images", "batch_size", "max_new_tokens", "min_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"DriftConfig.{name} must be a positive integer; got {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"DriftConfig.seed must be 0 or more; got {self.seed}.")
        if not 0 <= self.lambda_ref <= 1:
            raise ValueError(f"DriftConfig.lambda_ref must lie in [0, 1]; got {self.lambda_ref}.")
        if not 0 < self.level < 1:
            raise ValueError(f"DriftConfig.level must lie in (0, 1); got {self.level}.")


def main(config: DriftConfig) -> None:
    """Record, reduce, test, draw; each step leaves its file, so that an interrupted run goes on from it."""
    from analysis.summary import summary

    reduced, found, config = QUESTION.answer(config, measure, test)
    draw(reduced, found, config.out)
    print(summary(found))  # noqa: T201  what the command says at its end


def measure(config: DriftConfig) -> xr.Dataset:
    """Record what is missing in both regimes, and reduce it; the replay feeds the baseline's own captions to both arms."""
    import transformers

    from analysis.reduce import reduce
    from kvsmooth import KVSmooth
    from probes.session import record
    from probes.subjects import items_in, load_subject

    transformers.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        transformers.logging.disable_progress_bar()
    items = None if config.image_folder is None else items_in(config.image_folder, config.prompt)[: config.images]
    subject = load_subject(config.subject, config.device, config.dtype)
    items = items or subject.items(config.images, config.prompt)
    arms = {"baseline": None, "kvsmooth": KVSmooth(lambda_ref=config.lambda_ref)}
    options = {"out": config.recordings, "batch_size": config.batch_size, "max_new_tokens": config.max_new_tokens}
    try:
        recordings = {regime: record(subject, items, arms, regime, **options) for regime in ("free", "replay")}
    except BadInput as error:  # what the recording calls --out is --recordings here
        raise BadInput(str(error).replace("(--out)", "(--recordings)")) from error
    reduced = reduce(recordings, min_steps=config.min_steps, seed=config.seed, level=config.level)
    if config.image_folder is None:
        from analysis.captions import caption_counts
        from probes.subjects.emoji import annotations, scenes

        reduced["caption_counts"] = caption_counts(recordings["free"]["caption"], annotations(scenes(config.images)))
    return reduced.assign_attrs(analysis=as_json(made_by(config)))


def test(reduced: xr.Dataset, config: DriftConfig, checksum: str) -> str:
    """The text of the results file; `checksum` is that of the file of reduced data."""
    from analysis.captions import caption_rows
    from analysis.drawn import curves, map_cells, map_steps, rates
    from analysis.inference import results
    from analysis.stats.rows import as_json as results_json

    rows = results(reduced, seed=config.seed, level=config.level)
    if "caption_counts" in reduced:
        rows += caption_rows(reduced["caption_counts"], seed=config.seed, level=config.level)
    origin = json.loads(reduced.attrs["analysis"]) if "analysis" in reduced.attrs else made_by(config)
    recording = {name: value for name, value in reduced.attrs.items() if name not in ("analysis", "units")}
    return results_json(
        rows,
        {**origin, "recording": recording, QUESTION.checksum: checksum},
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
    from analysis.drift_figures import draw_all
    from analysis.plots.style import house, save

    rows = by_name(found["results"])
    about = {
        name: reduced.attrs.get(name, "") for name in ("git_commit", "model_id", "model_revision", "data_hash", "dtype", "schema_version")
    }
    about |= {"n": reduced.sizes["image"], "seed": found["provenance"].get("seed", 0)}
    with house():
        for name, made in draw_all(reduced, rows).items():
            save(made, out / name, about, NOTE.format(level=100 * found["provenance"]["config"]["level"]))


if __name__ == "__main__":
    run_cli(DriftConfig, main)
