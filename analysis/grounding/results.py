"""Reduced data -> rows: each measure at each point and dose, and its paired change from no smoothing.

Primary outcomes, named before a scene was looked at: CHAIR_s and CHAIR_i at every dose and point, all corrected together by max-T, since
one sentence says that either of them is lower. The rest is exploratory, each measure by Holm over doses and points, fluency at each point.
"""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.captions.measures import MEASURES, PRIMARY, changes, interval_of, ratios, weights
from analysis.captions.rows import of_split, told
from analysis.language.paired import fluency_rows
from analysis.stats.bootstrap import Interval
from analysis.stats.exchange import exchange_scores, exchange_test
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

Counts = Float[np.ndarray, "point dose image count"]


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """All rows: "<point>/<measure>/<dose>" and, at doses above 0, "<point>/<measure>/<dose> - 0"; with fluency, of what was read."""
    counts = reduced["counts"].transpose("point", "dose", "image", "count").values.astype(float)
    points, doses = [str(p) for p in reduced["point"].values], [f"{d:g}" for d in reduced["dose"].values]
    levels = interval_of(counts, ratios, seed, level)
    apart = interval_of(counts, changes, seed, level)
    p, corrected, adjustments = tests(counts, seed)
    n, rows = counts.shape[2], []
    for (i, point), (j, dose), (k, name) in ((a, b, c) for a in enumerate(points) for b in enumerate(doses) for c in enumerate(MEASURES)):
        where = {"point": point, "dose": float(dose), "measure": name}
        at = (i * len(doses) + j) * len(MEASURES) + k
        rows.append(_row(f"{point}/{name}/{dose}", name, n, levels, at, where, role="descriptive"))
        if j:
            at = (i * (len(doses) - 1) + j - 1) * len(MEASURES) + k
            tested = {"test": exchange_test(n), "p": p[i, j - 1, k], "p_adjusted": corrected[i, j - 1, k], "adjustment": adjustments[k]}
            role = "primary" if name in PRIMARY else "exploratory"
            rows.append(_row(f"{point}/{name}/{dose} - 0", name, n, apart, at, where, role=role, **tested))
    return rows + [row for point in points for row in _fluent(reduced, point, doses, seed, level)]


def _fluent(reduced: xr.Dataset, point: str, doses: list[str], seed: int, level: float) -> list[Row]:
    """Rows "<point>/nll/<dose>" and "<point>/broken/<dose>", and their changes; none where no caption was read."""
    if "nll" not in reduced:
        return []
    of = reduced.sel(point=point).rename(dose="arm", counts="test")

    def named(measure: str, arm: str, control: str | None = None) -> tuple[str, dict[str, Any]]:
        _, where = of_split("test")(measure, arm, control)
        return f"{point}/{measure}/{told(arm, control)}", {**where, "point": point}

    return fluency_rows(of, doses, seed, level, named)


def tests(counts: Counts, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """p and corrected p "point dose measure" of each change from dose 0, and what each measure was corrected by."""
    scores = np.moveaxis(dose_scores(counts), 2, 0)
    images, *shape = scores.shape
    p = sign_flip(scores.reshape(images, -1), seed=seed)[0].reshape(shape)
    corrected, told = np.full(shape, np.nan), []
    primary = np.isin(list(MEASURES), PRIMARY)
    corrected[..., primary] = sign_flip(scores[..., primary].reshape(images, -1), seed=seed)[1].reshape(*shape[:2], -1)
    for k in range(len(MEASURES)):
        if primary[k]:
            told.append(f"max-T over {family_size(p[..., primary].ravel())} doses, points and measures")
        else:
            corrected[..., k] = adjust(p[..., k].ravel()).reshape(shape[:2])
            told.append(f"Holm over {family_size(p[..., k].ravel())} doses and points")
    return p, corrected, told


def dose_scores(counts: Counts) -> Float[np.ndarray, "point smoothed image measure"]:
    """`exchange_scores` of each dose against 0, smoothed less plain."""
    parts = [counts @ weights(part) for part in ("above", "below")]
    return exchange_scores(*(np.stack([part[:, 1:], np.broadcast_to(part[:, :1], part[:, 1:].shape)]) for part in parts))


def _row(name: str, measure: str, n: int, interval: Interval, at: int, where: dict, **more) -> Row:
    limits = (interval.low[at], interval.high[at])
    told: dict[str, Any] = {"unit": MEASURES[measure].unit, "n": n, "interval": limits, "where": where, "reason": interval.reason[at]}
    return Row(name=name, estimate=interval.estimate[at], **told, **more)
