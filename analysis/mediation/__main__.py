"""`python -m analysis.mediation`: how much of the effect passes through attention rows, and how much past them?

Patches batch by batch, compares over images, draws, tells (docs/findings.md).

Each finished batch is a file in --store. `--redraw` draws from mediation.nc and mediation.json alone, without a model.
"""

from probes.command.cli import run_cli


def main(config) -> None:
    """Patch, compare, draw, tell."""
    from analysis.mediation.command import perform

    perform(config)


if __name__ == "__main__":
    from analysis.mediation.config import MediationConfig

    run_cli(MediationConfig, main)
