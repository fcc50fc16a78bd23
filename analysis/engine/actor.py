"""What runs in a process of the cluster: one worker, made once."""

import os
import pickle
import sys
from collections.abc import Sequence
from typing import Any

from analysis.engine.attempts import AttemptResult, make_worker, run_attempt
from analysis.engine.batch import Worker
from probes.command.cli import BadInput, one_line


class Actor:
    """Holds a worker and hands it payloads; an ordinary class, which the engine makes an actor of.

    Parameters
    ----------
    threads : that the worker may use for one operation
    """

    save = None
    """nnsight gives every class a method of this name; Ray would send it to each process, which would then load nnsight, torch and all."""

    def __init__(self, threads: int):
        self._threads = threads
        self._worker: Worker | None = None
        # numerical libraries read these as they are imported, which is why the maker comes as bytes, and later
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(threads)

    def prepare(self, pickled: bytes) -> str:
        """Make the worker; return why it cannot be made in one line, "" if it is."""
        try:
            self._worker = make_worker(lambda: pickle.loads(pickled)())
        except BadInput as error:
            return one_line(error)
        if "torch" in sys.modules:  # the maker has, or Ray before it, with other threads
            sys.modules["torch"].set_num_threads(self._threads)
        return ""

    def work(self, payloads: Sequence[Any]) -> AttemptResult:
        """One try."""
        return run_attempt(self._worker, payloads)

    def process(self) -> int:
        """Number of the process."""
        return os.getpid()
