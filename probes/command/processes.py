"""Processes of one's own that share their imports: torch and transformers take each of them five seconds otherwise."""

import atexit
import multiprocessing
import sys
from functools import cache
from typing import Any

IMPORTED = ["probes.subjects", "probes.tracing.tracing", "xarray", "scipy.stats"]


def imported() -> Any:
    """A context of multiprocessing whose processes are forked from a server that has imported what models need, and has done nothing.

    It has no threads, so that no lock of one is taken along, as it would be from a process that has computed. Processes have the
    environment that was there when the first one was started. Where the libraries do not bear a fork, or the system has none, each
    process imports for itself.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    _waited_for()
    return context


@cache
def _waited_for() -> None:
    """The server is ended with this process, and waited for: what its processes took of the processor would else be counted nowhere."""
    from multiprocessing import forkserver

    # has no public name; without a server it does nothing
    atexit.register(forkserver._forkserver._stop)  # type: ignore[attr-defined]
