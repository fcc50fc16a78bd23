"""The outcome of an attempt at a batch, and the retry policy: a failed batch is retried item by item once, then its items are set aside."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.engine.batch import Batch, Maker, Outcome, Worker
from probes.command.cli import BadInput, one_line


@dataclass(frozen=True)
class Attempt:
    """A batch that is to be worked on.

    Attributes
    ----------
    last : whether its items are set aside if it fails
    """

    batch: Batch
    last: bool = False


@dataclass(frozen=True)
class AttemptResult:
    """How a try ended; picklable.

    Attributes
    ----------
    results : one a payload, in their order; None if the try failed
    error : one line, why it failed
    damaged : whether the error may have left the worker unfit: after a failed kernel, a GPU answers everything with an error
    seconds : that it took
    """

    results: tuple[Any, ...] | None = None
    error: str = ""
    damaged: bool = False
    seconds: float = 0.0


def make_worker(make: Maker) -> Worker:
    """A worker.

    Raises
    ------
    BadInput : it cannot be made
    """
    try:
        return make()
    except (Exception, SystemExit) as error:
        raise BadInput(f"no worker can be made: {error_line(error)}") from error


def run_attempt(worker: Worker, payloads: Sequence[Any]) -> AttemptResult:
    """Let the worker work on the payloads; an error of any kind is told, not raised."""
    begun = time.perf_counter()
    try:
        results = tuple(worker(payloads))
    except (Exception, SystemExit) as error:
        return AttemptResult(None, error_line(error), isinstance(error, RuntimeError | MemoryError), time.perf_counter() - begun)
    seconds = time.perf_counter() - begun
    if len(results) != len(payloads):
        return AttemptResult(None, f"its worker gave {len(results)} results for {len(payloads)} items", seconds=seconds)
    return AttemptResult(results, seconds=seconds)


def settled(attempt: Attempt, end: AttemptResult) -> tuple[list[Attempt], list[Outcome]]:
    """What is to be tried next because of this end, and what is decided by it; one of the two is empty."""
    batch = attempt.batch
    if end.results is not None:
        pairs = zip(batch.keys, end.results, strict=True)
        return [], [Outcome(key, result, "", len(batch.keys), end.seconds) for key, result in pairs]
    if attempt.last:
        return [], [Outcome(key, None, end.error, len(batch.keys), end.seconds) for key in batch.keys]
    return [Attempt(Batch((key,), (payload,)), last=True) for key, payload in zip(batch.keys, batch.payloads, strict=True)], []


def error_line(error: BaseException) -> str:
    """An error in one line: what is bad about the input as it stands, everything else with its kind before it."""
    if isinstance(error, BadInput):
        return one_line(error)
    kind, line = type(error).__name__, one_line(error)
    return kind if line == kind else f"{kind}: {line}"
