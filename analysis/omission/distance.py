"""How far an arm lies from the omission line of its baseline, at the arm's own recall: below it, the arm does what omission cannot.

An arm whose recall is above the baseline's is compared with the baseline as it is: no omission raises recall. Intervals resample images,
arm and line together, and find the share kept anew in each resample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from analysis.omission.line import COUNTS, MEASURES, Line, measures
from analysis.stats.bootstrap import LEVEL, Statistic, cluster_bca, multiplicity_of_images
from analysis.stats.multiplicity import family_size
from analysis.stats.paired import sign_flip
from analysis.stats.pseudo_values import pseudo_values
from analysis.stats.rows import Row

TEST = "sign flip of pseudo-values over images, two-sided: 0"
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
    arms: Mapping[str, tuple[Float[np.ndarray, "image count"], Sequence[Line]]], *, level: float = LEVEL, seed: int = 0, role="exploratory"
) -> list[Row]:
    """A row an arm, line and measure, named "<arm>/beyond <rule> <unit>/<measure>", and one for the share kept.

    All arms and lines are corrected together by max-T, each measure by itself; they must be of the same images.

    Parameters
    ----------
    arms : by name, the arm's counts and the lines of its baseline, on the same images in the same order
    """
    names, columns, found = [], [], []
    for name, (arm, lines) in arms.items():
        for line in lines:
            statistic = distance_statistic(arm, line)
            found.append(cluster_bca(statistic, len(arm), level=level, seed=seed))
            columns.append(pseudo_values(statistic, len(arm)))
            names.append((name, line))
    rows = []
    for k, measure in enumerate((*COMPARED, "share")):
        tested = measure in COMPARED
        p = np.full((2, len(names)), np.nan)
        if tested and names:
            p = np.array(sign_flip(np.stack([column[:, k] for column in columns], axis=1), seed=seed))
        for i, (name, line) in enumerate(names):
            rows.append(
                Row(
                    name=f"{name}/beyond {line.rule} {line.unit}/{measure}",
                    estimate=float(found[i].estimate[k]),
                    unit="1",
                    n=len(columns[i]),
                    interval=(float(found[i].low[k]), float(found[i].high[k])),
                    test=TEST if tested else "",
                    p=float(p[0, i]),
                    p_adjusted=float(p[1, i]),
                    adjustment=f"max-T over {family_size(p[1])} arms and lines" if tested else "",
                    role=role if tested else "descriptive",
                    where={"arm": name, "rule": line.rule, "dropped": line.unit, "measure": measure},
                    reason=found[i].reason[k],
                )
            )
    return rows


def _distances(
    arm: Float[np.ndarray, "image count"], line: Line, weight: Float[np.ndarray, "*draw image"]
) -> Float[np.ndarray, "*draw quantity"]:
    """Arm less line at the arm's recall, of weighted sums over images; the share kept last."""
    if arm.shape != line.counts.shape[1:] or arm.shape[1] != len(COUNTS):
        raise ValueError(f"the arm's counts must be those of the line's images, {line.counts.shape[1:]}; got {arm.shape}.")
    own = measures(weight @ arm)
    grid = np.asarray(line.shares)
    flat = np.moveaxis(line.counts, 0, 1).reshape(len(arm), -1)
    curve = measures((weight @ flat).reshape(*weight.shape[:-1], len(grid), len(COUNTS)))
    reach = curve[..., _RECALL]
    above, part = _place(own[..., _RECALL], reach)
    quantities = np.concatenate([curve[..., [MEASURES.index(name) for name in COMPARED]], _filled(grid, curve)], axis=-1)
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
