"""A process of its own for a measurement; the imports alone are shared, and take longer than many a measurement."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from probes.command.processes import imported

Found = TypeVar("Found")


def in_fresh_process(work: Callable[..., Found], *given: Any, told: str) -> Found:
    """What `work(*given)` returns in a process that has imported, and done nothing else: no peak but its own is in it.

    Parameters
    ----------
    told : what the error calls it

    Raises
    ------
    RuntimeError : the process did not end well
    """
    context = imported()
    queue = context.SimpleQueue()
    process = context.Process(target=_put, args=(queue, work, given))
    process.start()
    while process.is_alive() and queue.empty():  # what is too long for the pipe is taken from it before the process can end
        process.join(0.05)
    found = None if queue.empty() else queue.get()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"{told} ended with status {process.exitcode}")
    return found


def own_peak() -> int:
    """Bytes that this process has held at most."""
    import resource  # of POSIX alone

    return peak_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def peak_bytes(told: int) -> int:
    """Bytes of a peak as the system tells it: in kilobytes, on macOS in bytes."""
    return told * (1 if sys.platform == "darwin" else 1024)


def _put(queue: Any, work: Callable[..., Found], given: tuple) -> None:
    queue.put(work(*given))
