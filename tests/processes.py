"""Processes that tests start: waited for by what they leave, never for a time, and ended whatever comes.

A busy machine makes anything late and runs things in any order. So a test that stops a run has it stop itself at a known place and wait
there, and then ends it; and whoever waits for a condition waits for minutes before giving up.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 900.0  # seconds; reached by a mistake only, however busy the machine


def until(condition: Callable[[], Any], process: subprocess.Popen | None = None) -> Any:
    """What the condition gives once that is true.

    Parameters
    ----------
    process : that it hangs on; if it has ended the condition is looked at once more

    Raises
    ------
    AssertionError : it never became true
    """
    end = time.monotonic() + PATIENCE
    while True:
        over = time.monotonic() > end or (process is not None and process.poll() is not None)
        found = condition()
        if found:
            return found
        assert not over, "what was waited for did not happen" if process is None else f"status {process.poll()}: it ended too early"
        time.sleep(0.02)


@contextmanager
def started(words: Sequence[str], **options: Any) -> Iterator[subprocess.Popen]:
    """A command in a session of its own with texts as its output; with all its children it ends with the block."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(list(map(str, words)), start_new_session=True, **(pipes | options)) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def alive(process: int | str) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # no such file, or none any more while it is read
        return False


def all_end(processes: Iterable[int | str]) -> bool:
    """Whether no process of these is left: one that was told to end takes a moment."""
    processes = list(processes)
    return until(lambda: not any(map(alive, processes)))


def children(process: int) -> list[int]:
    """Process ids of the running children of a process."""
    return [pid for pid, fields in _table() if int(fields[1]) == process]


def of_session(session: int) -> list[int]:
    """Process ids of the running processes of a session."""
    return [pid for pid, fields in _table() if int(fields[3]) == session]


def _table() -> Iterator[tuple[int, list[str]]]:
    """State, parent, group, session of each running process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            yield int(path.parent.name), fields
