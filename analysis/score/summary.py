"""The printed table of a scoring: one line a measure with its interval; shares in percent, here and nowhere else."""

import math

from analysis.metrics.metric import is_share
from analysis.score.results import ScoredFile
from analysis.stats.rows import Row
from analysis.telling.wording import aligned, p_value


def summary(scored: ScoredFile) -> str:
    """The table, what it rests on, and what is missing from it."""
    score, level = scored.score, f"{100 * scored.level:g} %"
    n = f"{_counted(score.answers, 'answer')} of {_counted(score.images, 'image')}"
    head = f"{scored.metric.name}: {n}, mode {scored.metric.mode}"
    rows = [("measure", "value", f"{level} interval over images")]
    for name, measure in scored.metric.measures.items():
        unit = measure.unit
        limits, why = score.intervals[name], score.reasons.get(name, "")
        value = shown(score.metrics[name], unit)
        rows.append((name, value, why if math.isnan(limits[0]) else between(limits, unit)))
    lines = [head, *(f"  {line}" for line in aligned(rows))]
    if scored.comparison:
        lines += ["", *_compared(scored, level)]
    return "\n".join(lines)


def shown(value: float, unit: str) -> str:
    """A value as a reader sees it: a share in percent, anything else with its unit."""
    if math.isnan(value):
        return "-"
    return f"{100 * value:.2f} %" if is_share(unit) else f"{value:.2f} {unit}"


def between(limits: tuple[float, float], unit: str) -> str:
    """An interval as a reader sees it."""
    low, high = (shown(limit, unit).partition(" ")[0] for limit in limits)
    return f"{low} to {high}"


def _compared(scored: ScoredFile, level: str) -> list[str]:
    differences = [row for row in scored.comparison if row.test]
    images = differences[0].n if differences else 0
    head = f"minus --against, on the {_counted(images, 'image')} of both; p: {differences[0].test}" if differences else "nothing to compare"
    rows = [("measure", "difference", f"{level} interval", "p", "p corrected"), *map(_difference, differences)]
    return [head, *(f"  {line}" for line in aligned(rows)), "  * named in advance: p corrected over these, and over all others apart"]


def _difference(row: Row) -> tuple[str, ...]:
    points, scale = ("points", 100) if is_share(row.unit) else (row.unit, 1)
    value = "-" if math.isnan(row.estimate) else f"{scale * row.estimate:+.2f} {points}"
    limits = row.reason if math.isnan(row.interval[0]) else " to ".join(f"{scale * limit:+.2f}" for limit in row.interval)
    name = f"{row.where['measure']}{' *' if row.role == 'primary' else ''}"
    return (name, value, limits, p_value(row.p), p_value(row.p_adjusted))


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
