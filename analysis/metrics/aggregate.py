"""From records to measures: with an interval clustered by image, and as paired differences between methods.

Every measure is a ratio of sums (micro-averaged, as its authors define it). An image's answers are resampled, and exchanged between
methods, all together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from analysis.metrics.metric import Metric, Record
from analysis.stats.bootstrap import LEVEL, Statistic, cluster_bca, difference, multiplicity_of_images
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.rows import Row
from analysis.stats.swap import swap_test

TEST = "permutation that exchanges the methods within images, two-sided"


@dataclass(frozen=True)
class MetricScore:
    """A metric over many answers.

    Attributes
    ----------
    metrics : by measure, the value; NaN where it is undefined, and `reasons` says why
    intervals : by measure, confidence limits clustered by image; NaN where there are none
    reasons : by measure, why the value or its interval is NaN
    answers, images : how many; without those of which nothing counts
    """

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    reasons: dict[str, str]
    answers: int
    images: int


def by_image(metric: Metric, records: Sequence[Record]) -> tuple[list[int], Float[np.ndarray, "image count"]]:
    """Image ids, sorted, and the summed counts of each image's records; an image of which nothing counts is not there."""
    records = [record for record in records if any(record.counts)]
    ids = sorted({record.image_id for record in records})
    row = {image_id: i for i, image_id in enumerate(ids)}
    counts = np.zeros((len(ids), len(metric.counts)))
    for record in records:
        counts[row[record.image_id]] += record.counts
    return ids, counts


def score(metric: Metric, records: Sequence[Record], *, level: float = LEVEL, seed: int = 0) -> MetricScore:
    """The measures over all records, each with a BCa interval that resamples images."""
    ids, counts = by_image(metric, records)
    total = counts.sum(axis=0)
    values = {name: float(value) for name, value in metric.ratios(total).items()}
    reasons = dict(metric.reasons(total))
    intervals = dict.fromkeys(metric.measures, (float("nan"), float("nan")))
    if ids:
        found = cluster_bca(_statistic(metric, counts), len(ids), level=level, seed=seed)
        intervals = {name: (float(found.low[i]), float(found.high[i])) for i, name in enumerate(metric.measures)}
        told = zip(metric.measures, found.reason, strict=True)
        reasons = {name: f"interval: {why}" for name, why in told if why} | reasons
    counted = sum(any(record.counts) for record in records)
    return MetricScore({name: values[name] for name in metric.measures}, intervals, reasons, counted, len(ids))


def compare(
    metric: Metric,
    records: Mapping[str, Sequence[Record]],
    baseline: str,
    *,
    keys: Mapping[str, Sequence[str]] | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> list[Row]:
    """Each measure of each method, and its paired difference to the baseline on the questions, and so the images, that both answered.

    p is corrected by Holm over methods x primary measures, and apart from these over methods x all others.

    Parameters
    ----------
    records : by method, in the order of the table; `baseline` is one of them
    keys : by method, which question each of its records answers; None where an image has one question
    """
    arms = {name: by_image(metric, given) for name, given in records.items()}
    rows: list[Row] = []
    for name, (ids, counts) in arms.items():
        rows += _rows(metric, name, _statistic(metric, counts), len(ids), None, level, seed)
    tested: list[Row] = []
    for name in arms:
        if name == baseline:
            continue
        (ids, counts), (control_ids, control) = (by_image(metric, given) for given in _shared(records, keys, name, baseline))
        shared = sorted(set(ids) & set(control_ids))
        first = counts[np.isin(ids, shared)]
        second = control[np.isin(control_ids, shared)]
        p = swap_test(first, second, lambda total: _stacked(metric, total), seed=seed)
        paired = difference(_statistic(metric, first), _statistic(metric, second))
        tested += _rows(metric, f"{name} - {baseline}", paired, len(shared), p, level, seed)
    return rows + _adjusted(tested)


def _shared(
    records: Mapping[str, Sequence[Record]], keys: Mapping[str, Sequence[str]] | None, name: str, baseline: str
) -> tuple[Sequence[Record], Sequence[Record]]:
    """The records of both methods on the questions that both answered: an image is not compared over different questions."""
    if keys is None:
        return records[name], records[baseline]
    both = set(keys[name]) & set(keys[baseline])
    first, second = ([record for record, key in zip(records[arm], keys[arm], strict=True) if key in both] for arm in (name, baseline))
    return first, second


def _stacked(metric: Metric, total: Float[np.ndarray, "*draw count"]) -> Float[np.ndarray, " measure *draw"]:
    found = metric.ratios(total)
    return np.stack([np.asarray(found[name], dtype=float) for name in metric.measures])


def _statistic(metric: Metric, counts: Float[np.ndarray, "image count"]) -> Statistic:
    return lambda drawn: _stacked(metric, multiplicity_of_images(drawn, len(counts)) @ counts)


def _rows(metric: Metric, arm: str, statistic: Statistic, images: int, p: np.ndarray | None, level: float, seed: int) -> list[Row]:
    found = cluster_bca(statistic, images, level=level, seed=seed)
    return [
        Row(
            name=f"{metric.name}/{measure}/{arm}",
            estimate=float(found.estimate[i]),
            unit=told.unit,
            n=images,
            interval=(float(found.low[i]), float(found.high[i])),
            test="" if p is None else TEST,
            p=np.nan if p is None else float(p[i]),
            role="descriptive" if p is None else "primary" if measure in metric.primary else "exploratory",
            where={"benchmark": metric.name, "measure": measure, "method": arm},
            reason=found.reason[i],
        )
        for i, (measure, told) in enumerate(metric.measures.items())
    ]


def _adjusted(rows: list[Row]) -> list[Row]:
    done = list(rows)
    for role in ("primary", "exploratory"):
        members = [i for i, row in enumerate(rows) if row.role == role]
        p = np.array([rows[i].p for i in members], dtype=float)
        for i, value in zip(members, adjust(p, "holm"), strict=True):
            done[i] = replace(rows[i], p_adjusted=float(value), adjustment=f"Holm over {family_size(p)} {role} tests")
    return done
