"""How far an arm lies from the omission line of its baseline, at the arm's own recall: below it, the arm does what omission cannot.

An arm whose recall is above the baseline's is compared with the baseline as it is: no omission raises recall. Intervals resample images,
arm and line together, and find the share kept anew in each resample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from analysis.omission.line import COUNTS, MEASURES, Line, measures
from analysis.stats.bootstrap import LEVEL, Statistic, cluster_bca, multiplicity_of_images
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip
from analysis.stats.pseudo_values import pseudo_values
from analysis.stats.rows import Row

TEST = "sign flip of pseudo-values over images, two-sided: 0"
EVERY, EVERY_TEST = "beyond every line", "intersection-union of the tests of all lines"
COMPARED = ("chair_s", "chair_i", "precision")
"""At equal recall; F1 there follows from precision."""
_RECALL = MEASURES.index("recall")


@dataclass(frozen=True)
class Distance:
    """An arm less a line at the same recall.

    Attributes
    ----------
    share : of the units that the line keeps at the arm's recall
    clamped : the arm's recall lies outside of the line's, so that it is compared with an end of it
    values : by measure of `COMPARED`; below 0 is better, except of precision
    """

    share: float
    clamped: bool
    values: Mapping[str, float]


def distance(arm: Float[np.ndarray, "image count"], line: Line) -> Distance:
    """The arm's distance, without an interval; images of arm and line are the same, in the same order."""
    whole = _distances(arm, line, np.ones((1, len(arm))))[0]
    recall, reach = measures(arm.sum(0))[_RECALL], line.curve[:, _RECALL]
    return Distance(float(whole[-1]), not reach[0] <= recall <= reach[-1], dict(zip(COMPARED, map(float, whole), strict=False)))


def distance_statistic(arm: Float[np.ndarray, "image count"], line: Line) -> Statistic:
    """Statistic: `COMPARED`, then the share kept, of drawn images."""
    return lambda drawn: np.moveaxis(_distances(arm, line, multiplicity_of_images(drawn, len(arm))), -1, 0)


def distance_rows(
    arms: Mapping[str, tuple[Float[np.ndarray, "image count"], Sequence[Line]]], *, level: float = LEVEL, seed: int = 0
) -> list[Row]:
    """Rows "<arm>/beyond <rule> <unit>/<measure>" and, of several lines, "<arm>/beyond every line/<measure>": the nearest of them.

    All arms and lines are corrected together by max-T, each measure by itself; they must be of the same images. An arm is beyond every line
    if it is beyond each: the largest of their p (an intersection-union test, which needs no correction), by Holm over the arms. It is not
    beyond a line whose interval reaches it (then p is 1): where a line has corners, as that of captions with a fixed number of mentions,
    pseudo-values vary less than the distance does, and their test alone rejects too often.

    Parameters
    ----------
    arms : by name, the arm's counts and the lines of its baseline, on the same images in the same order
    """
    if not arms:
        return []
    images = len(next(iter(arms.values()))[0])
    rows: list[Row] = []
    found = cluster_bca(_of_all(arms, images), images, level=level, seed=seed)
    columns = pseudo_values(_of_all(arms, images), images)
    for name, (_, lines) in arms.items():
        told = [(f"beyond {line.rule} {line.unit}", {"rule": line.rule, "dropped": line.unit}) for line in lines]
        names = [(*one, measure) for one in told for measure in (*COMPARED, "share")]
        names += [(EVERY, {"rule": "every line"}, measure) for measure in COMPARED] if len(lines) > 1 else []
        for title, where, measure in names:
            i = len(rows)
            limits = (float(found.low[i]), float(found.high[i]))
            about = {"arm": name, "measure": measure, **where}
            told_of: dict[str, Any] = {"where": about, "reason": found.reason[i], "role": "descriptive"}
            rows.append(Row(f"{name}/{title}/{measure}", float(found.estimate[i]), "1", images, limits, **told_of))
    for measure in COMPARED:
        single = [i for i, row in enumerate(rows) if row.where["measure"] == measure and "dropped" in row.where]
        p, corrected = sign_flip(columns[:, single], seed=seed)
        size = family_size(corrected)
        for at, own, adjusted in zip(single, p, corrected, strict=True):
            tested: dict[str, Any] = {
                "test": TEST,
                "p": float(own),
                "p_adjusted": float(adjusted),
                "adjustment": f"max-T over {size} arms and lines",
            }
            rows[at] = replace(rows[at], role="exploratory", **tested)
        nearest = [i for i, row in enumerate(rows) if row.where["measure"] == measure and "dropped" not in row.where]
        together = np.array([_every(rows, single, rows[at].where["arm"], measure) for at in nearest])
        size = family_size(together)
        for at, own, adjusted in zip(nearest, together, adjust(together), strict=True):
            tested = {"test": EVERY_TEST, "p": float(own), "p_adjusted": float(adjusted), "adjustment": f"Holm over {size} arms"}
            rows[at] = replace(rows[at], role="exploratory", **tested)
    return rows


def better(measure: str, value: float) -> bool:
    """Whether a distance lies on the side of less hallucination."""
    return value > 0 if measure == "precision" else value < 0


def _every(rows: Sequence[Row], single: Sequence[int], arm: str, measure: str) -> float:
    own = [rows[at] for at in single if rows[at].where["arm"] == arm]
    p = [row.p for row in own]
    if not np.isfinite(p).all():  # no image differs from a line
        return np.nan
    return max(p) if all(better(measure, limit) for row in own for limit in row.interval) else 1.0


def _of_all(arms: Mapping[str, tuple[Float[np.ndarray, "image count"], Sequence[Line]]], images: int) -> Statistic:
    """Statistic: by arm the values of each of its lines one after the other, and behind them, of several lines, those of the nearest."""
    every = {id(line): line for _, lines in arms.values() for line in lines}  # what several arms share is weighed once

    def of(drawn: np.ndarray) -> np.ndarray:
        weight, found = multiplicity_of_images(drawn, images), []
        curves = {key: _curve(line, weight) for key, line in every.items()}
        for arm, lines in arms.values():
            own = _own(arm, lines, weight)
            each = [_apart(own, line, curves[id(line)]) for line in lines]
            values = np.moveaxis(np.stack(each), -1, 1)
            found.append(values.reshape(-1, *values.shape[2:]))
            if len(lines) > 1:
                near = [(np.min if name == "precision" else np.max)(values[:, k], axis=0) for k, name in enumerate(COMPARED)]
                found.append(np.stack(near))
        return np.concatenate(found)

    return of


def _distances(
    arm: Float[np.ndarray, "image count"], line: Line, weight: Float[np.ndarray, "*draw image"]
) -> Float[np.ndarray, "*draw quantity"]:
    """Arm less line at the arm's recall, of weighted sums over images; the share kept last."""
    return _apart(_own(arm, [line], weight), line, _curve(line, weight))


def _own(
    arm: Float[np.ndarray, "image count"], lines: Sequence[Line], weight: Float[np.ndarray, "*draw image"]
) -> Float[np.ndarray, "*draw measure"]:
    """The arm's own measures, once it is sure that these are lines of its images."""
    for line in lines:
        if arm.shape != line.counts.shape[1:] or arm.shape[1] != len(COUNTS):
            raise ValueError(f"the arm's counts must be those of the line's images, {line.counts.shape[1:]}; got {arm.shape}.")
    return measures(weight @ arm)


def _curve(line: Line, weight: Float[np.ndarray, "*draw image"]) -> Float[np.ndarray, "*draw share measure"]:
    flat = np.moveaxis(line.counts, 0, 1).reshape(line.counts.shape[1], -1)
    return measures((weight @ flat).reshape(*weight.shape[:-1], len(line.shares), len(COUNTS)))


def _apart(
    own: Float[np.ndarray, "*draw measure"], line: Line, curve: Float[np.ndarray, "*draw share measure"]
) -> Float[np.ndarray, "*draw quantity"]:
    """Own measures less those of the line's curve at the same recall; the share kept last."""
    reach = curve[..., _RECALL]
    above, part = _place(own[..., _RECALL], reach)
    quantities = np.concatenate([curve[..., [MEASURES.index(name) for name in COMPARED]], _filled(np.asarray(line.shares), curve)], axis=-1)
    low, high = (np.take_along_axis(quantities, at[..., None, None], -2)[..., 0, :] for at in (above - 1, above))
    at_equal = np.where(part[..., None] == 1, high, low + part[..., None] * (high - low))
    values = own[..., [MEASURES.index(name) for name in COMPARED]] - at_equal[..., :-1]
    return np.concatenate([values, at_equal[..., -1:]], axis=-1)


def _filled(grid: Float[np.ndarray, " share"], curve: Float[np.ndarray, "*draw share measure"]) -> Float[np.ndarray, "*draw share 1"]:
    return np.broadcast_to(grid, curve.shape[:-1])[..., None]


def _place(
    value: Float[np.ndarray, "*draw"], rising: Float[np.ndarray, "*draw share"]
) -> tuple[Int[np.ndarray, "*draw"], Float[np.ndarray, "*draw"]]:
    """Between which points of a curve that never falls a value lies: the upper one, and how far towards it; ends hold what lies beyond."""
    above = np.asarray(np.clip((rising < value[..., None]).sum(-1), 1, rising.shape[-1] - 1))
    low, high = (np.take_along_axis(rising, at[..., None], -1)[..., 0] for at in (above - 1, above))
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(high > low, (value - low) / (high - low), 1.0)
    return above, np.asarray(np.clip(part, 0.0, 1.0))
