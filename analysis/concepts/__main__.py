"""`python -m analysis.concepts`: a sink, drift, and what is smoothed when, drawn from a real map and the committed drift of smollm2.

`--redraw` takes the attention map from concepts.nc and needs no model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from probes.command.cli import BadInput, run_cli
from probes.command.files import atomic_write
from probes.command.terminal import say


@dataclass(frozen=True)
class ConceptsConfig:
    """Three small drawings: what a sink is, what drift is, what KVSmooth changes at which step."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--redraw")
    out: Path = Path("figures")
    """folder of concepts.svg, concepts.png and concepts.nc"""
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

    held = config.out / "concepts.nc"
    try:
        drift = xr.load_dataset(config.drift / "drift.nc", engine="h5netcdf")
        level = level_of((config.drift / "drift.json").read_text(encoding="utf-8"))
        attention = xr.load_dataset(held, engine="h5netcdf") if config.redraw else None
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{getattr(error, 'filename', None) or config.drift}: cannot be read ({type(error).__name__}).") from error
    if attention is None:
        from analysis.concepts.attention_map import attention_map

        attention = attention_map()
        config.out.mkdir(parents=True, exist_ok=True)
        with atomic_write(held) as temporary:
            attention.to_netcdf(temporary, engine="h5netcdf", encoding={"attention": {"zlib": True, "complevel": 9}})
    with house():
        made, note = concepts(attention, drift, level)
        told = {"model_id": attention.attrs["subject"], "model_revision": attention.attrs["model_revision"]}
        save(made, config.out / "concepts", told, note)
    say(f"Written: {config.out} (concepts.nc, concepts.svg, concepts.png)")


if __name__ == "__main__":
    run_cli(ConceptsConfig, main)
