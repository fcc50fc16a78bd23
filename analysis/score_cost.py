"""`python -m analysis.score_cost`: what scoring costs against COCO at its full size; the code is `analysis.efficiency.scoring`."""

if __name__ == "__main__":
    from analysis.efficiency.scoring import ScoreCostConfig, main
    from probes.command.cli import run_cli

    run_cli(ScoreCostConfig, main)
