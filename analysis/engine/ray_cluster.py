"""Batches are worked on by processes of a Ray cluster: this machine's, or a running one at an address."""

import os
import warnings
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from types import ModuleType

from analysis.engine import cluster
from analysis.engine.attempts import error_line
from analysis.engine.batch import Batch, Maker, Outcome
from analysis.engine.dispatch import Dispatch
from analysis.engine.interrupt import Interrupt
from probes.command.cli import BadInput, Notice


@dataclass(frozen=True)
class RayEngine:
    """Works in processes of their own, one worker each; one that is lost is replaced, and what it worked on is tried again.

    Parameters
    ----------
    address : of a running cluster ("auto", "host:6379"), which is left running; None: a Ray on this machine that ends with the run
    workers : processes at a time; None: one a GPU where the cluster has any, else one a CPU share
    gpus_per_worker : a share below 1 lets workers share a GPU; None: 1 where the cluster has any, else 0
    threads : that one worker computes with, and the CPUs that it asks of the cluster
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: int | float | None = None
    threads: int = 1

    def __post_init__(self):
        if self.address is not None and not self.address.strip():
            raise ValueError(f"RayEngine.address must name a cluster or be None; got {self.address!r}.")
        if self.workers is not None and (type(self.workers) is not int or self.workers < 1):
            raise ValueError(f"RayEngine.workers must be a positive integer or None; got {self.workers}.")
        gpus = self.gpus_per_worker
        if gpus is not None and not (0 <= gpus <= 1 or gpus == int(gpus) > 1):
            raise ValueError(f"RayEngine.gpus_per_worker must be from 0 to 1, a whole number above, or None; got {gpus}.")
        if type(self.threads) is not int or self.threads < 1:
            raise ValueError(f"RayEngine.threads must be a positive integer; got {self.threads}.")

    def run(self, make: Maker, batches: Iterable[Batch]) -> Generator[list[Outcome], None, None]:
        """One list of outcomes a batch, as batches finish; of a batch that failed or lost its worker one list an item.

        Two batches a worker are held at a time, one under way and one ready. An interrupt starts nothing new, gives what is under way, and
        is raised then; a second one is raised at once. In every case the workers end with the run, and with them a Ray of our own.

        Raises
        ------
        BadInput : Ray is not installed, the cluster is not there or has no room, or no worker can be made; also when workers are lost
            one after another and nothing is finished between
        KeyboardInterrupt : after an interrupt
        """
        with Interrupt() as interrupt, cluster.connected(self.address, self._cpus(), self._own_gpus()) as ray:
            gpus = self.gpus_per_worker
            if gpus is None:
                gpus = 1 if cluster.room(ray, self.threads, 1) else 0
            room = cluster.room(ray, self.threads, gpus)
            needs = f"{self.threads} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
            if not room:
                raise BadInput(f"a worker needs {needs}, which no node of the cluster has; ask for less (threads, gpus_per_worker).")
            workers = self.workers or room
            if workers > room:
                warnings.warn(
                    Notice(f"the cluster has room for {room} workers of {needs}; the others of {workers} wait for room."), stacklevel=2
                )
            options = {"num_cpus": self.threads, "num_gpus": gpus}
            yield from Dispatch(ray, _pickled(ray, make), batches, workers, options, self.threads, interrupt).outcomes()

    def _cpus(self) -> int:
        if self.workers is not None:
            return self.workers * self.threads
        own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(self.threads, own)

    def _own_gpus(self) -> int | None:
        return 0 if self.gpus_per_worker == 0 else None


def _pickled(ray: ModuleType, make: Maker) -> bytes:
    try:
        return ray.cloudpickle.dumps(make)
    except Exception as error:  # whatever pickle raises
        raise BadInput(f"no worker can be made: its maker cannot be sent to another process: {error_line(error)}") from error
