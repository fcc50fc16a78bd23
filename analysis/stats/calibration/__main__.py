"""`python -m analysis.stats.calibration`: simulate every level and coverage, and write the table of docs/statistics.md."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from probes.command.cli import Notice, run_cli
from probes.command.terminal import say


@dataclass(frozen=True)
class CalibrationConfig:
    """Levels and coverages of all statistics by simulation, as a table on a page (two to three minutes)."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--share 0.1 --page trial.md",
    )
    page: Path = Path("docs/statistics.md")
    """page in which the table is written; docs/statistics.md with the defaults alone, else out/calibration.md"""
    share: float = 1.0
    """share of the samples that each simulation asks for; less is quicker and coarser"""
    seed: int = 0
    """of the random numbers"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        if not 0 < self.share <= 1:
            raise ValueError(f"CalibrationConfig.share must lie in (0, 1]; got {self.share}.")


def page_of(config: CalibrationConfig) -> Path:
    """The page that may be written: the project's own hold the whole simulation of the default seed."""
    from analysis.telling.committed import committed

    ours, default = committed(config.page), CalibrationConfig()
    whole = (config.share, config.seed) == (default.share, default.seed)
    return Path("out/calibration.md") if ours and not whole else config.page


def main(config: CalibrationConfig) -> None:
    """Run every simulation, write the table, and say what lies outside its band; told first is a page that is not the one asked for."""
    from tqdm import tqdm

    from analysis.stats.calibration.registry import SIMULATIONS
    from analysis.stats.calibration.simulation import run
    from analysis.stats.calibration.table import outside, table
    from analysis.telling.pages import tell

    page = page_of(config)
    if page != config.page:
        warnings.warn(Notice(f"{config.page} holds the whole simulation of the default seed; this one goes to {page}."), stacklevel=2)
    counts = [max(1, round(config.share * simulation.replications)) for simulation in SIMULATIONS]
    found: list = []
    with tqdm(total=sum(counts), unit="sample", disable=None) as bar:
        for simulation, count in zip(SIMULATIONS, counts, strict=True):
            bar.set_description(simulation.name)
            found += run(simulation, count, seed=config.seed, tick=bar.update)
    tell("calibration", table(found, config.seed), page)
    say(outside(found))


if __name__ == "__main__":
    run_cli(CalibrationConfig, main)
