"""Hands batches to the actors of a cluster, replaces those that are lost, and decides when to give up."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import ModuleType
from typing import Any

from analysis.engine import cluster
from analysis.engine.actor import Actor
from analysis.engine.interrupt import Interrupt
from analysis.engine.tries import Attempt, Tried, said, settled
from analysis.engine.work import Batch, Outcome
from probes.cli import BadInput

DEPTH = 2  # batches an actor has: one under way, one waiting, so that it never waits for the driver
STARTS = 3  # workers in a row that may be lost before they are made
DEATHS = 50  # workers in a row that may be lost in their work with nothing finished between
LOST = "its worker's process was ended, perhaps for want of memory"


@dataclass(eq=False)
class Slot:
    """A place for one actor after another.

    Attributes
    ----------
    starting : becomes why the worker cannot be made, or ""; None once it is made
    under_way : what was sent to the actor, in the order that it works
    """

    actor: Any = None
    starting: Any = None
    under_way: deque[tuple[Any, Attempt]] = field(default_factory=deque)


class Dispatch:
    """One run on a cluster.

    Parameters
    ----------
    ray : connected
    make : the maker, pickled
    batches : taken one by one, as actors become free
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
        self._waiting = deque(Attempt(batch) for batch in islice(self._source, workers))
        self._exhausted = len(self._waiting) < workers
        self._slots = [Slot() for _ in self._waiting]
        self._ended: BaseException | None = None  # what the run ends with once everything under way is finished
        self._made = False
        self._failed_starts = self._deaths = 0

    def outcomes(self) -> Iterator[list[Outcome]]:
        """What the engine gives; at the end every actor's process has been told to end."""
        try:
            while True:
                if self._interrupt.asked and not isinstance(self._ended, KeyboardInterrupt):
                    self._stop(KeyboardInterrupt())
                self._fill()
                awaited = self._awaited()
                if not awaited:
                    break
                for ref in self._ray.wait(list(awaited), num_returns=1)[0]:
                    yield from self._collected(awaited[ref], ref)
            if self._ended is not None:
                raise self._ended
        finally:
            for slot in self._slots:
                self._empty(slot)

    def _fill(self) -> None:
        """Send what waits to actors that have room, the emptiest first."""
        for depth in range(DEPTH):
            for slot in self._slots:
                if len(slot.under_way) > depth or slot.starting is not None:
                    continue
                # a second batch for this one only where the actors that are being made find one too
                if not self._has_more_than(sum(other.starting is not None for other in self._slots) if depth else 0):
                    return
                if slot.actor is None:
                    self._start(slot)
                else:
                    self._send(slot, self._waiting.popleft())

    def _has_more_than(self, number: int) -> bool:
        """Whether more attempts than this wait; as many are taken from the source if it has them, and no more."""
        if self._ended is not None:
            return False
        while len(self._waiting) <= number and not self._exhausted:
            try:
                batch = next(self._source, None)
            except Exception as error:  # a reader's; what is under way is finished before it is raised
                self._stop(error)
                return False
            if batch is None:
                self._exhausted = True
            else:
                self._waiting.append(Attempt(batch))
        return len(self._waiting) > number

    def _start(self, slot: Slot) -> None:
        slot.actor = self._class.remote(self._threads)
        slot.starting = slot.actor.prepare.remote(self._make)

    def _send(self, slot: Slot, attempt: Attempt) -> None:
        try:
            ref = slot.actor.work.remote(attempt.batch.payloads)
        except Exception as error:  # whatever pickle raises
            # as if the worker had failed on it: `_collected` reads it like any other end
            ref = self._ray.put(Tried(None, said(error)))
        slot.under_way.append((ref, attempt))

    def _awaited(self) -> dict[Any, Slot]:
        """What the run waits for, with its slot; actors that are being made only while there may be something for them to do."""
        found = {ref: slot for slot in self._slots for ref, _ in slot.under_way}
        if self._ended is None and (self._waiting or not self._exhausted):
            found |= {slot.starting: slot for slot in self._slots if slot.starting is not None}
        return found

    def _collected(self, slot: Slot, ref: Any) -> Iterator[list[Outcome]]:
        if slot.starting == ref:
            self._started(slot)
            return
        attempt = next((attempt for other, attempt in slot.under_way if other == ref), None)
        if attempt is None:  # its actor was lost just before, and it is dealt with
            return
        end, lost = self._end_of(ref)
        if lost:
            yield from self._replaced(slot)
            return
        slot.under_way = deque(pair for pair in slot.under_way if pair[0] != ref)
        if end is not None:
            yield from self._decided(attempt, end)
            if end.damaged:
                self._requeue(slot)
                self._died(end.error)

    def _started(self, slot: Slot) -> None:
        why, lost = self._end_of(slot.starting)
        why = LOST if lost else why.error if isinstance(why, Tried) else why
        slot.starting = None
        if not why:
            self._made, self._failed_starts = True, 0
            return
        self._empty(slot)
        self._failed_starts += 1
        if (not lost and not self._made) or self._failed_starts >= STARTS:
            self._stop(BadInput(why if not lost else f"no worker can be made: {why}; {self._failed_starts} in a row."))

    def _end_of(self, ref: Any) -> tuple[Any, bool]:
        """What a finished call gave, None if it was taken back; and whether it lost its actor instead."""
        try:
            return self._ray.get(ref), False
        except self._ray.exceptions.TaskCancelledError:
            return None, False
        except Exception as error:
            return Tried(None, said(getattr(error, "cause", None) or error)), cluster.died(self._ray, error)

    def _replaced(self, slot: Slot) -> Iterator[list[Outcome]]:
        """The actor is lost: what it had finished counts, what it worked on has had a try, what waited behind goes back as it was."""
        blamed = False
        while slot.under_way:
            ref, attempt = slot.under_way.popleft()
            ready, _ = self._ray.wait([ref], timeout=0)
            end, lost = self._end_of(ref) if ready else (None, True)
            if not lost and end is not None:
                yield from self._decided(attempt, end)
            elif not blamed:
                blamed = True
                yield from self._decided(attempt, Tried(None, LOST))
            else:
                slot.under_way.appendleft((ref, attempt))
                break
        self._requeue(slot)
        self._died(LOST)

    def _requeue(self, slot: Slot) -> None:
        self._waiting.extendleft(reversed([attempt for _, attempt in slot.under_way]))
        self._empty(slot)

    def _empty(self, slot: Slot) -> None:
        if slot.actor is not None:
            cluster.end(self._ray, slot.actor)
        slot.actor, slot.starting = None, None
        slot.under_way.clear()

    def _died(self, why: str) -> None:
        self._deaths += 1
        if self._deaths >= DEATHS:
            self._stop(BadInput(f"{self._deaths} workers were lost one after another with nothing finished between: {why}."))

    def _decided(self, attempt: Attempt, end: Tried) -> Iterator[list[Outcome]]:
        again, outcomes = settled(attempt, end)
        self._waiting.extend(again)
        if end.results is not None:
            self._deaths = 0
        if outcomes:
            yield outcomes

    def _stop(self, reason: BaseException) -> None:
        """Start nothing new, and take back what actors have not begun."""
        self._ended = reason
        self._waiting.clear()
        for slot in self._slots:
            for ref, _ in islice(slot.under_way, 1, None):
                self._ray.cancel(ref)
