"""A second process that runs `python -m probes.record`, forked from the server that loads torch once for all tests with processes."""

import io
import os
import signal
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from probes.command.processes import imported
from tests.processes import PATIENCE

BRAKED = 3
"""Recordings that a braked process finishes; it stops when the next one is written and has not got its name yet."""


class Other:
    """The process of one command, and what it says on stderr; over when the block ends, whatever comes."""

    def __init__(self, log: Path, out: Path, words: Sequence[str], braked: bool = False) -> None:
        self.log = log
        self._process: Any = imported().Process(target=_run, args=(log, out, list(words), braked))

    def __enter__(self) -> "Other":
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.poll() is None:
            self._process.kill()
        self._process.join()

    def poll(self) -> int | None:
        """The status if it has ended, else None, as of a `subprocess.Popen`."""
        return self._process.exitcode

    def kill(self) -> None:
        """As the machine would: without a word before."""
        os.kill(self._process.pid, signal.SIGKILL)

    def status(self) -> int:
        """Of the command, when it has ended."""
        self._process.join(PATIENCE)
        assert self._process.exitcode is not None, "it does not end"
        return self._process.exitcode


def _run(log: Path, out: Path, words: list[str], braked: bool) -> None:
    from probes.command import files
    from probes.command.cli import run_cli
    from probes.record import RecordConfig, main

    usual = files._to_disk

    def to_disk(path: Path) -> None:
        if braked and path.name.startswith(".") and ".nc." in path.name and len(list(out.rglob("*.nc"))) == BRAKED:
            (out / "braked").touch()
            time.sleep(PATIENCE)
        usual(path)

    files._to_disk = to_disk
    with log.open("w") as said, redirect_stderr(said), redirect_stdout(io.StringIO()):
        os.dup2(said.fileno(), 2)
        run_cli(RecordConfig, main, words)
