"""`python -m analysis.sensitivity`: how much do lambda_ref, margin, window and layers decide, and by more than the amount of smoothing?

Cells are the ablation's, found in its --store where it has run them. `--redraw` makes figures and paragraph from sensitivity.nc and
sensitivity.json alone.
"""

from probes.command.cli import run_cli


def main(config) -> None:
    """Run, test, draw, tell."""
    from analysis.sensitivity.command import perform

    perform(config)


if __name__ == "__main__":
    # workers import this module anew: nothing of it may load a model or a plan before they need one
    from analysis.sensitivity.config import SensitivityConfig

    run_cli(SensitivityConfig, main)
