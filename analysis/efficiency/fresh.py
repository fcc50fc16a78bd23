"""A process of its own for a measurement; the imports alone are shared, and take longer than many a measurement."""

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
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
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, work, given))
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    try:
        with suppress(EOFError):
            found = receiver.recv()
        process.join()
    finally:
        process.kill()  # where this one was interrupted
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


def _send(sender: Any, work: Callable[..., Found], given: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all its processes; the one that waits for this ends it
    sender.send(work(*given))
