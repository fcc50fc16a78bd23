"""Hands batches to the actors of a cluster, replaces those that are lost, and decides when to give up."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from analysis.engine import cluster
from analysis.engine.actor import Actor
from analysis.engine.attempts import Attempt, AttemptResult, error_line, settled
from analysis.engine.batch import Batch, Outcome
from analysis.engine.interrupt import Interrupt
from probes.command.cli import BadInput

LOOK = 0.2  # seconds between two looks for an interrupt, which ends no wait of Ray's
STARTS = 3  # workers in a row that may be lost before they are made
DEATHS = 50  # workers in a row that may be lost in their work with nothing finished between
LOST = "its worker's process was ended, perhaps for want of memory"


@dataclass(eq=False)
class ActorSlot:
    """A place for one actor after another, each with one batch at a time.

    Attributes
    ----------
    actor : None where the next one has not been started
    awaited : what the actor is busy with: being made, or `attempt`; None if it is free
    attempt : what it was sent; None while it is being made, or free
    """

    actor: Any = None
    awaited: Any = None
    attempt: Attempt | None = None


class Dispatch:
    """One run on a cluster.

    An actor has one batch at a time, since what has been sent cannot be taken back after an interrupt; the next one lies ready here, and
    is sent before the outcomes of the last one are given, so that no actor waits for the caller to write.

    Parameters
    ----------
    ray : connected
    make : the maker, pickled
    batches : taken one by one, at most one a worker ahead of those under way
    workers : actors at a time; fewer where there are fewer batches
    options : what an actor asks of the cluster
    threads : of an actor
    interrupt : looked at between two steps
    """

    def __init__(
        self,
        ray: ModuleType,
        make: bytes,
        batches: Iterable[Batch],
        workers: int,
        options: dict[str, Any],
        threads: int,
        interrupt: Interrupt,
    ):
        self._ray, self._make, self._threads, self._interrupt = ray, make, threads, interrupt
        self._class = ray.remote(max_restarts=0, max_task_retries=0, **options)(Actor)
        self._source = iter(batches)
        self._waiting: deque[Attempt] = deque()
        self._ended: BaseException | None = None  # what the run ends with once everything under way is finished
        self._unread: Exception | None = None  # what the source raised
        self._made = self._exhausted = False
        self._failed_starts = self._deaths = 0
        self._read(workers)
        self._slots = [ActorSlot() for _ in self._waiting]

    def outcomes(self) -> Iterator[list[Outcome]]:
        """What the engine gives; at the end every actor's process has been told to end."""
        try:
            while True:
                if self._interrupt.asked:
                    self._ended = KeyboardInterrupt()
                self._send()
                awaited = self._awaited()
                if not awaited:
                    break
                if self._ended is None:
                    self._read(len(self._slots))
                for ref in self._ray.wait(list(awaited), num_returns=1, timeout=LOOK)[0]:
                    decided = self._collected(awaited[ref])
                    if not self._interrupt.asked:
                        self._send()
                    if decided:
                        yield decided
            if self._ended is not None or self._unread is not None:
                raise self._ended or self._unread
        finally:
            for slot in self._slots:
                self._empty(slot)

    def _read(self, number: int) -> None:
        """Have so many attempts lie ready, if there are so many."""
        while len(self._waiting) < number and not self._exhausted:
            try:
                batch = next(self._source, None)
            except Exception as error:  # a reader's; all that was read is finished before it is raised
                batch, self._unread = None, error
            if batch is None:
                self._exhausted = True
            else:
                self._waiting.append(Attempt(batch))

    def _send(self) -> None:
        """Give every free actor something to do, if there is something."""
        for slot in self._slots:
            if self._ended is not None or slot.awaited is not None:
                continue
            self._read(1)
            if not self._waiting:
                return
            if slot.actor is None:
                slot.actor = self._class.remote(self._threads)
                slot.awaited = slot.actor.prepare.remote(self._make)
                continue
            slot.attempt = self._waiting.popleft()
            try:
                slot.awaited = slot.actor.work.remote(slot.attempt.batch.payloads)
            except Exception as error:  # whatever pickle raises; read like any other end
                slot.awaited = self._ray.put(AttemptResult(None, error_line(error)))

    def _awaited(self) -> dict[Any, ActorSlot]:
        """What the run waits for, with its slot; actors that are being made only while there is something for them to do."""
        useful = self._ended is None and bool(self._waiting)
        return {slot.awaited: slot for slot in self._slots if slot.attempt is not None or (useful and slot.awaited is not None)}

    def _collected(self, slot: ActorSlot) -> list[Outcome]:
        """What is decided by the end of what the slot's actor was busy with."""
        lost = False
        try:
            end = self._ray.get(slot.awaited)
        except Exception as error:
            lost = cluster.died(self._ray, error)
            end = AttemptResult(None, LOST if lost else error_line(getattr(error, "cause", None) or error))
        attempt, slot.awaited, slot.attempt = slot.attempt, None, None
        if attempt is None:
            self._started(slot, end.error if isinstance(end, AttemptResult) else end, lost)
            return []
        again, decided = settled(attempt, end)
        self._waiting.extendleft(reversed(again))
        if end.results is not None:
            self._deaths = 0
        elif lost or end.damaged:
            self._empty(slot)
            self._deaths += 1
            if self._deaths >= DEATHS:
                line = f"{self._deaths} workers were lost one after another with nothing finished between: {end.error}."
                self._ended = self._ended or BadInput(line)
        return decided

    def _started(self, slot: ActorSlot, why: str, lost: bool) -> None:
        """A worker is made, or cannot be: the first that raises ends the run, one that is lost has others come for it."""
        if not why:
            self._made, self._failed_starts = True, 0
            return
        self._empty(slot)
        self._failed_starts += 1
        if self._failed_starts >= STARTS or not (lost or self._made):
            line = f"no worker can be made: {why}; {self._failed_starts} in a row." if lost else why
            self._ended = self._ended or BadInput(line)

    def _empty(self, slot: ActorSlot) -> None:
        if slot.actor is not None:
            cluster.end(self._ray, slot.actor)
        slot.actor = slot.awaited = slot.attempt = None
