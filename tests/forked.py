"""Commands that a test starts and ends, forked from a process that has loaded the libraries of models: to load them takes five seconds."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from probes.command.processes import imported
from tests.processes import PATIENCE


class Forked:
    """A process in a session of its own.

    Parameters
    ----------
    work, given : what it does, a function of a module, and with what
    said : file for what it says on both streams
    """

    def __init__(self, work: Callable[..., Any], given: tuple, said: Path):
        self._process, self._said = imported().Process(target=_apart, args=(said, work, given)), said
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.exitcode

    def ended(self) -> tuple[int | None, str]:
        """Its exit status and what it said, once it has ended."""
        self._process.join(PATIENCE)
        return self.poll(), self._said.read_text(encoding="utf-8")


@contextmanager
def forked(work: Callable[..., Any], *given: Any, said: Path) -> Iterator[Forked]:
    """A process that does this work; with all its children it ends with the block."""
    process = Forked(work, given, said)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.ended()


def _apart(said: Path, work: Callable[..., Any], given: tuple) -> None:
    os.setsid()
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    work(*given)
