"""The command, which stops as its second batch begins until a file is there."""

import time
from collections.abc import Sequence
from pathlib import Path

from analysis.answering.answering import Answerer
from analysis.benchmark.command import perform
from analysis.benchmark.config import BenchmarkConfig
from probes.command.cli import run_cli


def braked(there: Path, go: Path, words: Sequence[str]) -> None:
    """Run the command with these words, in a process of its own: whatever answers is stopped in it for good.

    Parameters
    ----------
    there : file that is there once it stands still
    go : file that it waits for
    """
    calls, usual = [], Answerer.__call__

    def waits(self, queries):
        calls.append(1)
        if len(calls) == 2:
            there.touch()
            while not go.exists():
                time.sleep(0.02)
        return usual(self, queries)

    Answerer.__call__ = waits  # type: ignore[method-assign]
    run_cli(BenchmarkConfig, perform, words)
