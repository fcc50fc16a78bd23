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

from analysis.drift_files import by_name, curves, exclusions, read_reduced, read_results, write_reduced
from probes.cli import BadInput, run_cli
from probes.files import write_bytes
from probes.provenance import as_json, provenance

NETCDF, RESULTS = "drift.nc", "drift.json"
NOTE = (
    "Lines and points: mean over images; bands and bars: cluster BCa interval over images. n: images still generating. "
    "Filled points and outlined cells: p < 0.05, sign flip over images, max-T corrected."
)


@dataclass(frozen=True)
class DriftConfig:
    """Entropy, visual mass and drift over decoding steps, with and without KVSmooth: figures, tests and a results file.

    Attributes
    ----------
    subject : "emoji" (bundled), a folder of a saved model, or a hub id
    images : how many images; the unit of every test
    image_folder : a folder of images; the bundled subject brings its own
    prompt : what is asked about each image
    out : folder of figures, drift.nc and drift.json
    recordings : folder of the recordings; what lies there is not recorded again
    redraw : draw from the files in `out` only; needs no model
    lambda_ref : KVSmooth's reference rate, in [0, 1]
    batch_size : images a batch
    max_new_tokens : longest caption, tokens
    min_steps : images with fewer generated tokens in either arm are left out of the tests
    level : coverage of the intervals
    seed : of bootstrap and permutations
    device : cpu, cuda or cuda:<n>
    dtype : float32, bfloat16 or float16
    debug : show traces of errors
    """

    subject: str = "emoji"
    images: int = 200
    image_folder: Path | None = None
    prompt: str = "Please describe this image in detail."
    out: Path = Path("figures/drift")
    recordings: Path = Path("recordings")
    redraw: bool = False
    lambda_ref: float = 0.7
    batch_size: int = 20
    max_new_tokens: int = 160
    min_steps: int = 8
    level: float = 0.95
    seed: int = 0
    device: str = "cpu"
    dtype: str = "float32"
    debug: bool = False

    def __post_init__(self):
        for name in ("images", "batch_size", "max_new_tokens", "min_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"DriftConfig.{name} must be a positive integer; got {getattr(self, name)}.")
        if not 0 <= self.lambda_ref <= 1:
            raise ValueError(f"DriftConfig.lambda_ref must lie in [0, 1]; got {self.lambda_ref}.")
        if not 0 < self.level < 1:
            raise ValueError(f"DriftConfig.level must lie in (0, 1); got {self.level}.")


def main(config: DriftConfig) -> None:
    """Record, reduce, test, draw; each step leaves its file, so that an interrupted run goes on from it."""
    if not config.redraw:
        write_reduced(measure(config), config.out / NETCDF)
    reduced = read_reduced(config.out / NETCDF)  # what was written, in its precision: a redraw sees the same numbers
    results = config.out / RESULTS
    if not (config.redraw and results.exists()):
        write_bytes(results, test(reduced, config).encode())
    found = read_results(results)
    draw(reduced, found, config.out)
    from analysis.summary import summary

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
    reduced = reduce(recordings, min_steps=config.min_steps, seed=config.seed)
    if config.image_folder is None:
        from analysis.captions import caption_counts
        from probes.subjects.emoji import annotations, scenes

        reduced["caption_counts"] = caption_counts(recordings["free"]["caption"], annotations(scenes(config.images)))
    return reduced.assign_attrs(analysis=as_json(provenance(config)))


def test(reduced: xr.Dataset, config: DriftConfig) -> str:
    """The text of the results file."""
    from analysis.captions import caption_rows
    from analysis.inference import results
    from analysis.stats.rows import as_json as results_json

    rows = results(reduced, seed=config.seed, level=config.level)
    if "caption_counts" in reduced:
        rows += caption_rows(reduced["caption_counts"], seed=config.seed, level=config.level)
    origin = json.loads(reduced.attrs["analysis"]) if "analysis" in reduced.attrs else provenance(config)
    recording = {name: value for name, value in reduced.attrs.items() if name not in ("analysis", "units")}
    return results_json(rows, {**origin, "recording": recording}, exclusions=exclusions(reduced), curves=list(curves(reduced)))


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
            save(made, out / name, about, NOTE)


if __name__ == "__main__":
    run_cli(DriftConfig, main)
