"""`python -m analysis.concepts`: a sink, drift, and what is smoothed when, drawn from a real map and the committed drift of smollm2.

`--redraw` takes the attention map from concepts.nc and needs no model.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from probes.command.cli import BadInput, Notice, first_sentence, run_cli
from probes.command.files import atomic_write, writable


@dataclass(frozen=True)
class ConceptsConfig:
    """Three small drawings: what a sink is, what drift is, what KVSmooth changes at which step."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--redraw")
    out: Path = Path("figures")
    """folder of concepts.svg, concepts.png and concepts.nc; with another drift than the default none under figures/, but out/concepts"""
    drift: Path = Path("figures/smollm2/drift")
    """folder of drift.nc and drift.json"""
    redraw: bool = False
    """from concepts.nc, without a model"""
    debug: bool = False
    """show traces of errors"""


def main(config: ConceptsConfig) -> None:
    """Read or make the map, draw."""
    import xarray as xr

    from analysis.concepts.drawings import concepts, level_of
    from analysis.plots.style import house, save

    out, held = placed(config), config.out / "concepts.nc"
    drift_file, results = config.drift / "drift.nc", config.drift / "drift.json"
    with _told(drift_file, "give a folder of python -m analysis.drift by --drift"):
        drift = xr.load_dataset(drift_file, engine="h5netcdf")
    with _told(results, "give a folder of python -m analysis.drift by --drift"):
        level = level_of(results.read_text(encoding="utf-8"))
    with _told(held, "leave --redraw out"):
        attention = xr.load_dataset(held, engine="h5netcdf") if config.redraw else None
    writable(out)
    if attention is None:
        from analysis.concepts.attention_map import attention_map

        attention = attention_map()
        with atomic_write(out / "concepts.nc") as temporary:
            attention.to_netcdf(temporary, engine="h5netcdf", encoding={"attention": {"zlib": True, "complevel": 9}})
    with house():
        try:
            made, note = concepts(attention, drift, level)
            told = {"model_id": attention.attrs["subject"], "model_revision": attention.attrs["model_revision"]}
        except KeyError as error:
            why = first_sentence(error)
            raise BadInput(f"{config.drift} or {held}: lacks what is drawn ({why}); run python -m analysis.drift again.") from error
        save(made, out / "concepts", told, note)


def placed(config: ConceptsConfig) -> Path:
    """The folder that may be written: figures/ holds the drawing of the default drift alone."""
    figures, elsewhere = ConceptsConfig.out.resolve(), Path("out/concepts")
    committed = figures in (config.out.resolve(), *config.out.resolve().parents)
    if not committed or config.drift.resolve() == ConceptsConfig.drift.resolve():
        return config.out
    warnings.warn(f"files go to {elsewhere}; {config.out} is left to the drift of {ConceptsConfig.drift}.", Notice, stacklevel=2)
    return elsewhere


@contextmanager
def _told(path: Path, way_out: str) -> Iterator[None]:
    """A file that is missing or damaged, in a line."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__}); {way_out}.") from error


if __name__ == "__main__":
    run_cli(ConceptsConfig, main)
