"""A process of its own for a measurement of peak memory; the imports alone are shared, and take longer than the measurement."""

import sys
from collections.abc import Callable
from typing import Any

from probes.command.processes import imported


def in_fresh_process(work: Callable[..., int], *given: Any, told: str) -> int:
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
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"the memory run of {told} ended with status {process.exitcode}")
    return queue.get()


def own_peak() -> int:
    """Bytes that this process has held at most."""
    import resource  # of POSIX alone

    return peak_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def peak_bytes(told: int) -> int:
    """Bytes of a peak as the system tells it: in kilobytes, on macOS in bytes."""
    return told * (1 if sys.platform == "darwin" else 1024)


def _put(queue: Any, work: Callable[..., int], given: tuple) -> None:
    queue.put(work(*given))
