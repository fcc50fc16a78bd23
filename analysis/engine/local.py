"""Batches are worked on in this process, one after another."""

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from analysis.engine.attempts import Attempt, make_worker, run_attempt, settled
from analysis.engine.batch import Batch, Maker, Outcome
from analysis.engine.interrupt import Interrupt


@dataclass(frozen=True)
class LocalEngine:
    """Works in this process: one worker, batches in their order.

    An error is the item's; what ends the process ends the run, as only workers in processes of their own (`RayEngine`) outlive it.
    """

    def run(self, make: Maker, batches: Iterable[Batch]) -> Generator[list[Outcome], None, None]:
        """One list of outcomes a batch, in the order of the batches; of a batch that failed one list an item.

        An interrupt lets the batch under way finish, gives it, and is raised then; a second one is raised at once.

        Raises
        ------
        BadInput : no worker can be made
        KeyboardInterrupt : after an interrupt
        """
        worker = make_worker(make)
        with Interrupt() as interrupt:
            for batch in batches:
                waiting = deque([Attempt(batch)])
                while waiting:
                    if interrupt.asked:
                        raise KeyboardInterrupt
                    attempt = waiting.popleft()
                    again, outcomes = settled(attempt, run_attempt(worker, attempt.batch.payloads))
                    waiting.extend(again)
                    if outcomes:
                        yield outcomes
