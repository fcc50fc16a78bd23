"""`python -m analysis.engine.cost`: what a second worker brings, in captions a minute; the code is `analysis.efficiency.engine`."""

if __name__ == "__main__":
    # from there: what is pickled in __main__ is not found by a worker
    from analysis.efficiency.engine import EngineCostConfig, perform
    from probes.command.cli import run_cli

    run_cli(EngineCostConfig, perform)
