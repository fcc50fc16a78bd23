"""Checks each method before a run: first on the subject without weights, then for one decoding step.

A method that does not serve the subject is told at once, and not when it is its turn, after a night of other methods' answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.answering.answering import Answerer
from analysis.answering.query import Query
from analysis.benchmark.methods import BenchmarkMethod
from analysis.engine.attempts import error_line
from analysis.engine.batch import Batch, Engine
from kvsmooth import Unsupported
from probes.command.cli import BadInput


def refuse_without_weights(subject: str, dtype: str, methods: Sequence[BenchmarkMethod]) -> None:
    """Open each method on the subject's model without weights: whatever can be refused without a forward pass is refused here.

    Raises
    ------
    BadInput : a method does not serve the subject, or there is no such subject
    """
    smoothing = [one for one in methods if one.options is not None]
    if not smoothing:
        return
    import torch

    from analysis.answering.memory import without_weights

    model = without_weights(subject, getattr(torch, dtype))
    for one in smoothing:
        try:
            with one.options(model):
                pass
        except (Unsupported, ValueError) as error:
            raise BadInput(_refused(one.name, error_line(error))) from error
        except (RuntimeError, NotImplementedError):
            continue  # it reads a value of a tensor, and here they have none: one step will tell


@dataclass(frozen=True)
class Trial:
    """An engine's maker: its worker takes one step of each method; picklable.

    Parameters
    ----------
    answering : makes the worker that asks the subject
    methods : by name
    """

    answering: Callable[[], Answerer]
    methods: Mapping[str, Any]

    def __call__(self) -> "Trying":
        """Load the subject."""
        return Trying(self.answering(), self.methods)


@dataclass(frozen=True)
class Trying:
    """A worker: by name, why methods fail on the first query on which the subject alone does not; what it cannot take is not theirs."""

    answerer: Answerer
    methods: Mapping[str, Any]

    def __call__(self, queries: Sequence[Query]) -> list[dict[str, str]]:
        """The same for every query."""
        query = next((query for query in queries if not self._failure(query, None)), None)
        failures = {} if query is None else {name: self._failure(query, method) for name, method in self.methods.items()}
        return [{name: why for name, why in failures.items() if why}] * len(queries)

    def _failure(self, query: Query, method: Any) -> str:
        try:
            self.answerer.step(query, method)
        except Exception as error:  # of whatever kind: it would be that of every question
            return error_line(error)
        return ""


def try_a_step(methods: Sequence[BenchmarkMethod], answering: Callable[[], Answerer], engine: Engine, batch: Batch) -> None:
    """Take one step of each method, where answers will come from.

    Parameters
    ----------
    batch : of queries, one of which is taken

    Raises
    ------
    BadInput : a method fails where the subject alone does not; or no worker can be made
    """
    smoothing = {one.name: one.options for one in methods if one.options is not None}
    if not smoothing:
        return
    for outcomes in engine.run(Trial(answering, smoothing), [batch]):
        for name, why in (outcomes[0].result or {}).items():
            raise BadInput(_refused(name, why))


def _refused(name: str, why: str) -> str:
    return f"--methods {name}: {why.rstrip('.')}; leave it out, or change its options. Nothing was asked."
