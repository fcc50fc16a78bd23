"""`python -m analysis.ablation`: detectors, policies, places, layers, doses: which of them does the work?

Runs the cells that are missing, compares them, draws, and writes the page's tables.

Each finished cell is a file in --store. `--only CELL` runs one again; `--redraw` makes figures and tables from ablation.nc and
ablation.json alone.
"""

from probes.command.cli import run_cli


def main(config) -> None:
    """Run, compare, draw."""
    from analysis.ablation.command import perform

    perform(config)


if __name__ == "__main__":
    # workers import this module anew: nothing of it may load a model or a plan before they need one
    from analysis.ablation.config import AblationConfig

    run_cli(AblationConfig, main)
