"""The logs of one family, which share their images and their baseline: every measure, every change, every distance, and the lines.

What is compared is compared on the images that log and baseline share. Corrections over all families come later (`results`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.captions.caption_measure import weights_of
from analysis.omission.distance import COMPARED, distance_rows, distance_statistic
from analysis.omission.line import COUNTS as OMITTED
from analysis.omission.line import MEASURES as LINE_MEASURES
from analysis.omission.line import Line, counts_of, measures, omission_line
from analysis.omission.rules import LINES
from analysis.published.counts import COLUMNS, Spoken
from analysis.published.first_absent import first_absent
from analysis.published.measures import CHANGES, MEASURES, PAIRED, matched, named
from analysis.published.verdict import PARTS
from analysis.stats.bootstrap import Interval, Statistic, cluster_bca, difference, multiplicity_of_images, ratio
from analysis.stats.exchange import exchange_scores, exchange_test
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

SHARES = tuple(round(0.05 * i, 2) for i in range(2, 21))
BOUND = ("oracle", "mention")
"""Drawn beside `LINES`, the most that omission could reach."""
PLACES_LOOKED_AT = 12
"""Objects of a caption, in the order of their first mention; whatever comes later is left out of the curve by position."""
KEPT = {"kept_true": "1", "kept_absent": "1", "added_true": "1 a caption", "added_absent": "1 a caption", "overlap": "1"}


@dataclass(frozen=True)
class Family:
    """What was found of one family.

    Attributes
    ----------
    rows : without corrections over families
    lines : sums over captions of `OMITTED` at every share kept, a line a rule, of the baseline
    baseline : what the bound on a published row needs: sums, and how many captions name so many absent objects
    """

    rows: list[Row]
    lines: list[dict[str, Any]]
    baseline: dict[str, Any]


def family(name: str, logs: Mapping[str, Spoken], baseline: str | None, objects: int, *, level: float = 0.95, seed: int = 0) -> Family:
    """All that can be said within one family.

    Parameters
    ----------
    logs : by name
    baseline : that of `logs` which the others are compared with; None: there is none
    objects : that there are
    """
    rows = [row for log, spoken in logs.items() for row in levels(log, spoken, level, seed)]
    if baseline is None:
        return Family(rows, [], {})
    base = logs[baseline]
    lines = [omission_line(base.mentions, *which, SHARES, seed) for which in (*LINES, BOUND)]
    for log, spoken in logs.items():
        if log != baseline:
            shared = np.intersect1d(spoken.images, base.images)
            if len(shared) < 2:
                continue
            rows += contrast(log, spoken.on(shared), baseline, base.on(shared), objects, level, seed)
    drawn = [
        {"family": name, "baseline": baseline, "rule": line.rule, "unit": line.unit, "shares": list(line.shares)}
        | {"columns": list(OMITTED), "sums": line.counts.sum(1).round(6).tolist()}
        for line in lines
    ]
    return Family(rows, drawn, {"family": name, "log": baseline} | bound_inputs(base, objects))


def levels(log: str, spoken: Spoken, level: float, seed: int) -> list[Row]:
    """Every measure of one log, and the share of absent objects among the first, second, ... object that its captions name."""
    parts = [spoken.counts @ weights_of(part, COLUMNS, MEASURES) for part in ("above", "below")]
    wrong, there = by_place(spoken)
    found = cluster_bca(ratio(np.hstack([parts[0], wrong]), np.hstack([parts[1], there])), len(spoken.images), level=level, seed=seed)
    names: list[tuple[str, str, dict[str, Any]]] = [(measure, told.unit, {"measure": measure}) for measure, told in MEASURES.items()]
    names += [(f"object {i + 1}", "1", {"measure": "absent", "place": i + 1}) for i in range(PLACES_LOOKED_AT)]
    n = [len(spoken.images)] * len(MEASURES) + [int(count) for count in there.sum(0)]
    return [
        _row(f"{log}/{name}", found, i, unit, n[i], {"log": log, **where}, role="descriptive")
        for i, (name, unit, where) in enumerate(names)
    ]


def by_place(spoken: Spoken) -> tuple[Float[np.ndarray, "image place"], Float[np.ndarray, "image place"]]:
    """Whether each caption's first, second, ... object is absent, and whether there is one; later mentions of an object do not count."""
    mentions = spoken.mentions
    fresh = mentions.fresh
    place = np.where(fresh, fresh.cumsum(1) - 1, -1)
    at = place[..., None] == np.arange(PLACES_LOOKED_AT)
    return (at & mentions.absent[..., None]).any(1).astype(float), at.any(1).astype(float)


def contrast(log: str, arm: Spoken, baseline: str, base: Spoken, objects: int, level: float, seed: int) -> list[Row]:
    """A log and its baseline on the same images: changes, what is kept and added, parts of the fall, distances to the omission lines."""
    about = {"log": log, "baseline": baseline}
    cut = matched(arm, base)
    sides = [np.hstack([side.counts, more]) for side, more in zip((arm, base), cut, strict=True)]
    above, below = (np.stack([side @ weights_of(part, PAIRED, CHANGES) for side in sides]) for part in ("above", "below"))
    p = sign_flip(exchange_scores(above, below), seed=seed)[0]
    n = len(arm.images)
    found = cluster_bca(difference(ratio(above[0], below[0]), ratio(above[1], below[1])), n, level=level, seed=seed)
    rows = [
        _row(
            f"{log} - {baseline}/{name}",
            found,
            i,
            told.unit,
            n,
            about | {"measure": name},
            test=exchange_test(n, "the two logs"),
            p=float(p[i]),
        )
        for i, (name, told) in enumerate(CHANGES.items())
    ]
    found = cluster_bca(kept(arm, base, objects), n, level=level, seed=seed)
    rows += [
        _row(f"{log} - {baseline}/{name}", found, i, unit, n, about | {"measure": name}, role="descriptive")
        for i, (name, unit) in enumerate(KEPT.items())
    ]
    lines = [omission_line(base.mentions, *which, SHARES, seed) for which in LINES]
    own = counts_of(arm.mentions)
    found = cluster_bca(parts(own, lines), n, level=level, seed=seed)
    names = [*((part, "chair_i") for part in PARTS), *((part, "chair_s") for part in PARTS[:2])]
    rows += [
        _row(f"{log} - {baseline}/{part}/{measure}", found, i, "1", n, about | {"measure": measure, "part": part}, role="descriptive")
        for i, (part, measure) in enumerate(names)
    ]
    rows += first_absent(arm, base, f"{log} - {baseline}", about, level, seed)
    return rows + distance_rows({log: (own, lines)}, level=level, seed=seed)


def kept(arm: Spoken, base: Spoken, objects: int) -> Statistic:
    """Statistic: `KEPT`: of the baseline's true and absent objects the shares that the arm names too, new ones a caption, and shared over
    all objects, mean over the captions that name any."""
    ours, theirs = named(arm, objects), named(base, objects)
    above, below = [], []
    for mine, before in zip(ours, theirs, strict=True):
        above.append((mine & before).sum(1))
        below.append(before.sum(1))
    for mine, before in zip(ours, theirs, strict=True):
        above.append((mine & ~before).sum(1))
        below.append(np.ones(len(mine)))
    both, any_of = (join(ours[0] | ours[1], theirs[0] | theirs[1]).sum(1) for join in (np.logical_and, np.logical_or))
    above.append(both / np.maximum(any_of, 1))
    below.append(any_of > 0)
    return ratio(np.stack(above, axis=1).astype(float), np.stack(below, axis=1).astype(float))


def parts(arm: Float[np.ndarray, "image count"], lines: Sequence[Line]) -> Statistic:
    """Statistic: what the changes of CHAIR_i and CHAIR_s consist of; by `PARTS` the three of CHAIR_i, then the first two of CHAIR_s.

    The line is the nearest one, as in `EVERY`. CHAIR_i counts mentions; with each object counted once it is 1 less precision. Better is the
    way from line to arm, less the way from baseline to line, repeats what remains.
    """
    apart = [distance_statistic(arm, line) for line in lines]
    whole = lines[0].counts[-1]
    s, i, precise = (LINE_MEASURES.index(name) for name in ("chair_s", "chair_i", "precision"))

    def of(drawn: np.ndarray) -> np.ndarray:
        weight = multiplicity_of_images(drawn, len(arm))
        now, before = measures(weight @ arm), measures(weight @ whole)
        away = np.stack([statistic(drawn) for statistic in apart])
        better_s = away[:, COMPARED.index("chair_s")].max(0)
        better_p = -away[:, COMPARED.index("precision")].min(0)
        change_p = before[..., precise] - now[..., precise]
        change_i = now[..., i] - before[..., i]
        return np.stack([better_p, change_p - better_p, change_i - change_p, better_s, now[..., s] - before[..., s] - better_s])

    return of


def bound_inputs(base: Spoken, objects: int) -> dict[str, Any]:
    """Sums over the baseline's captions, and how many of them name 0, 1, 2, ... absent objects."""
    true, absent = named(base, objects)
    truth = base.counts[:, COLUMNS.index("truth")]
    return {
        "captions": len(true),
        "true": int(true.sum()),
        "absent": int(absent.sum()),
        "truth": int(truth.sum()),
        "captions_by_absent": np.bincount(absent.sum(1)).tolist(),
    }


def _row(name: str, found: Interval, at: int, unit: str, n: int, where: Mapping[str, Any], **more: Any) -> Row:
    limits = (float(found.low[at]), float(found.high[at]))
    return Row(name=name, estimate=float(found.estimate[at]), unit=unit, n=n, interval=limits, where=where, reason=found.reason[at], **more)
