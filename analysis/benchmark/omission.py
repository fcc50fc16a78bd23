"""Beside CHAIR, how far each method lies from the omission lines: what leaving out of the baseline's captions would give at its recall."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis.benchmark.names import BASELINE
from analysis.benchmark.store import AnswerLine
from analysis.metrics.metric import Metric, Record
from analysis.stats.rows import Row

FEWEST = 2
"""Images: of fewer there is neither an interval nor a test."""


def beyond_omission(
    metric: Metric, answers: Mapping[str, Sequence[AnswerLine]], records: Mapping[str, Sequence[Record]], *, level: float, seed: int
) -> tuple[list[Row], list[str]]:
    """Rows "<method>/beyond every line/<measure>" and "<method>/beyond <rule> <unit>/<measure>", and what a reader must be told.

    Methods and lines are corrected together, so all are of the images that every method answered, and no other row's p depends on them.
    None where the metric is not CHAIR or there is no baseline to leave out of.

    Parameters
    ----------
    answers : by method, what it said; one caption an image
    records : by method, what CHAIR found in each of them
    level, seed : of the intervals, and of intervals, tests and ties
    """
    from analysis.metrics.chair import Chair, count
    from analysis.omission.distance import distance_rows
    from analysis.omission.line import COUNTS, omission_line
    from analysis.omission.mentions import mentions_of
    from analysis.omission.rules import LINES

    if not isinstance(metric, Chair) or BASELINE not in records or len(records) < 2:
        return [], []
    found = {name: {line.key: one for line, one in zip(answers[name], own, strict=True)} for name, own in records.items()}
    common = [line for line in answers[BASELINE] if all(line.key in own for own in found.values())]
    if len(common) < FEWEST:
        return [], [f"the distances to omission are left out: they need {FEWEST} images that all methods answered, there are {len(common)}"]
    scored: dict[str, list[Any]] = {name: [own[line.key] for line in common] for name, own in found.items()}
    mentions = mentions_of(scored[BASELINE], [line.caption for line in common])
    lines = [omission_line(mentions, *which, seed=seed) for which in LINES]
    arms = {name: (count(own)[:, : len(COUNTS)], lines) for name, own in scored.items() if name != BASELINE}
    return [_placed(row, metric.name) for row in distance_rows(arms, level=level, seed=seed)], []


def _placed(row: Row, benchmark: str) -> Row:
    """The row, filed as those of a benchmark are."""
    where = dict(row.where)
    return replace(row, where={"benchmark": benchmark, "method": where.pop("arm"), **where})
