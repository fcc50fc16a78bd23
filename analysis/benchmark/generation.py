"""Generates the missing answers of a plan: batches go through an engine, answers are written as they arrive."""

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from analysis.answering.query import Query
from analysis.benchmark.images import Source, checksum
from analysis.benchmark.methods import BenchmarkMethod
from analysis.benchmark.plan import Plan, PlanItem
from analysis.benchmark.store import AnswerLine, AnswerStore
from analysis.engine.batch import Batch, Engine, Maker, Outcome
from probes.command.cli import BadInput, Notice

HOPELESS = 2
"""Batches that fail altogether before anything was answered, after which nothing more is tried."""


@dataclass(frozen=True)
class Generation:
    """One method's answers to a plan.

    Attributes
    ----------
    plan : what is asked
    method : with which method
    captions : where the answers are
    retry : whether questions that were set aside are missing
    """

    plan: Plan
    method: BenchmarkMethod
    captions: AnswerStore
    retry: bool = False

    def missing(self) -> list[tuple[PlanItem, ...]]:
        """Batches with an item that has no line; they are run whole, so that a resume changes no answer."""
        there = self._there()
        return [batch for batch in self.plan.batches if any(item.key not in there for item in batch)]

    def run(self, make: Maker, engine: Engine, source: Source) -> None:
        """Ask what is missing; each batch is on the disk before the next one is waited for.

        Raises
        ------
        BadInput : every question failed
        KeyboardInterrupt : after what was under way is written
        """
        from tqdm import tqdm

        there, items = self._there(), {item.key: item for item in self.plan.items}
        batches = self.missing()
        if not batches:
            return
        hope, failed = bool(there), []
        questions = sum(len(batch) for batch in batches)
        with (
            tqdm(total=questions, desc=self.method.name, unit="answer", disable=not sys.stderr.isatty()) as bar,
            closing(engine.run(make, self.payloads(batches, source))) as outcomes,
        ):
            for outcome in outcomes:
                lines = [_line(items[one.key], one) for one in outcome]
                bar.update(len(lines))
                hope = hope or any(not line.error for line in lines)
                failed += [line for line in lines if line.error]
                if hope:  # until then an error may be the machine's, and is no answer
                    self.captions.append(line for line in [*failed, *(line for line in lines if not line.error)] if line.key not in there)
                    failed = []
                elif len(failed) >= min(HOPELESS * len(batches[0]), questions):  # an engine gives a failed batch item by item
                    raise BadInput(f"{self.method.name}: the first {len(failed)} questions all failed; the first: {failed[0].error}")

    def _there(self) -> dict[str, AnswerLine]:
        return {key: line for key, line in self.captions.read().items() if not (line.error and self.retry)}

    def payloads(self, batches: Sequence[tuple[PlanItem, ...]], source: Source) -> Iterator[Batch]:
        """The batches with their images, as an engine takes them.

        Raises
        ------
        BadInput : an image is not the one of the plan
        """
        for batch in batches:
            yield Batch(tuple(item.key for item in batch), tuple(_query(item, source) for item in batch))


def tell_set_aside(plan: Plan, lines: Mapping[str, Mapping[str, AnswerLine]]) -> list[dict[str, Any]]:
    """What was not answered, with the reasons, and one Notice of it."""
    aside = [{"method": "", "key": item.key, "image_id": item.image_id, "error": item.error} for item in plan.items if item.error]
    for method, found in lines.items():
        aside += [
            {"method": method, "key": line.key, "image_id": line.image_id, "error": line.error} for line in found.values() if line.error
        ]
    if aside:
        first = aside[0]
        told = (
            f"{len(aside)} question{'s' if len(aside) > 1 else ''} set aside with an error, the first is {first['key']}: {first['error']}"
        )
        warnings.warn(told, Notice, stacklevel=2)
    return aside


def _query(item: PlanItem, source: Source) -> Query:
    image = source.image(item.file)
    if checksum(image) != item.sha256:
        raise BadInput(f"{item.file}: this image is not the one of the plan; restore it, or choose another --out.")
    return Query(item.key, item.image_id, image, item.prompt)


def _line(item: PlanItem, outcome: Outcome) -> AnswerLine:
    if outcome.error:
        return AnswerLine(item.key, item.image_id, item.prompt, batch=outcome.batch, error=outcome.error, file_name=item.file)
    said = outcome.result
    rate = None if said.report is None else said.report.get("lambda_mean")
    return AnswerLine(item.key, item.image_id, item.prompt, said.text, said.tokens, said.seconds, outcome.batch, rate, file_name=item.file)
