"""`python -m analysis.engine.cost`: what a second worker brings; the code is `analysis.efficiency.engine`."""

if __name__ == "__main__":
    from analysis.efficiency.engine import EngineCostConfig, perform
    from probes.command.cli import run_cli

    run_cli(EngineCostConfig, perform)
