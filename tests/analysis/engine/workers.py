"""Workers that do little, fail on what they are told to fail on, and leave a trace of every try."""

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from analysis.engine import Batch
from analysis.engine.batch import Worker
from tests.processes import until


@dataclass(frozen=True)
class Squares:
    """Makes a worker that squares.

    Parameters
    ----------
    raises, damages, kills : payloads that raise ValueError, RuntimeError, or end the worker's process without a word
    seconds : that a batch takes
    folder : where a file a try is left, named <first payload>-<payloads>-<process>-<nanoseconds>; None for nowhere
    until : a file that a batch waits for; None waits for nothing
    """

    raises: tuple[int, ...] = ()
    damages: tuple[int, ...] = ()
    kills: tuple[int, ...] = ()
    seconds: float = 0.0
    folder: Path | None = None
    until: Path | None = None

    def __call__(self) -> Worker:
        return self.work

    def work(self, payloads):
        if self.folder is not None:
            (self.folder / f"{payloads[0]}-{len(payloads)}-{os.getpid()}-{time.monotonic_ns()}").touch()
        for payload in payloads:
            if payload in self.raises:
                raise ValueError(f"{payload} is\nbad")
            if payload in self.damages:
                raise RuntimeError(f"a kernel failed on {payload}")
            if payload in self.kills:
                os.kill(os.getpid(), signal.SIGKILL)
        if self.until is not None:
            until(self.until.exists)
        time.sleep(self.seconds)
        return [payload * payload for payload in payloads]


def processes_of(folder: Path) -> list[int]:
    """Process ids of the tries that left a file there, the latest last."""
    names = [path.name.split("-") for path in folder.iterdir()]
    return [int(name[2]) for name in sorted(names, key=lambda name: int(name[3]))]


def cannot_be_made() -> Worker:
    raise OSError(2, "No such file or directory", "weights")


def dies_while_made() -> Worker:
    os.kill(os.getpid(), signal.SIGKILL)


def unpicklable_results() -> Worker:
    return lambda payloads: [threading.Lock() if payload == 2 else payload for payload in payloads]


def imported() -> Worker:
    """Tells of modules by name whether the process has them."""
    return lambda payloads: [payload in sys.modules for payload in payloads]


def batches(items: int, size: int) -> list[Batch]:
    """Payloads 0, 1, ... with themselves as keys, `size` a batch."""
    numbers = range(items)
    return [Batch(tuple(map(str, part)), tuple(part)) for part in (numbers[i : i + size] for i in range(0, items, size))]


def by_key(lists):
    """Outcomes by their key; none may come twice."""
    found = [outcome for outcomes in lists for outcome in outcomes]
    assert len({outcome.key for outcome in found}) == len(found), "an item came twice"
    return {outcome.key: outcome for outcome in found}
