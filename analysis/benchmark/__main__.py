"""`python -m analysis.benchmark`: a subject answers a benchmark with and without methods; captions, scores, table, figure."""

from analysis.benchmark.command import perform
from analysis.benchmark.config import BenchmarkConfig
from probes.command.cli import run_cli

if __name__ == "__main__":
    run_cli(BenchmarkConfig, perform)
