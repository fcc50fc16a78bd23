"""Trends over decoding steps, in two stages: one number an image, then a test over images.

Consecutive tokens resemble each other, so Kendall's own p-value of one caption rejects far too often. Its tau is still an
unbiased description of that caption; whether taus differ from zero is asked of the images, which are independent.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from analysis.stats.bootstrap import LEVEL, RESAMPLES, cluster_bca, mean
from analysis.stats.paired import DRAWS, sign_flip


@dataclass(frozen=True)
class TwoStage:
    """Trends of several quantities over images.

    Attributes
    ----------
    by_image : the first stage: each image's tau, or slope in the quantity's unit per `per` steps; NaN where an image has none
    n : images with a trend
    mean, low, high : the mean over images and its cluster BCa limits
    p, p_max_t : two-sided sign-flip p of a zero mean, alone and corrected over the quantities by max-T
    reason : why a limit is NaN, or ""
    """

    by_image: Float[np.ndarray, "image quantity"]
    n: Int[np.ndarray, " quantity"]
    mean: Float[np.ndarray, " quantity"]
    low: Float[np.ndarray, " quantity"]
    high: Float[np.ndarray, " quantity"]
    p: Float[np.ndarray, " quantity"]
    p_max_t: Float[np.ndarray, " quantity"]
    reason: tuple[str, ...]


def two_stage(
    values: Float[np.ndarray, "image step quantity"],
    kind: str = "tau",
    *,
    control: Float[np.ndarray, "image control_step quantity"] | None = None,
    per: float | int = 1,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    draws: int = DRAWS,
    seed: int = 0,
) -> TwoStage:
    """Trend of each image over its steps, then its mean over images, interval and tests; NaN where an image has no such step.

    Parameters
    ----------
    values : padded with NaN to the longest caption; a missing step inside keeps its place in time
    kind : "tau" (Kendall's tau-b, no unit), "slope" (least squares) or "theil_sen" (median of pairwise slopes)
    control : the other arm of the same images: the trend of an image is then its trend in `values` minus that in `control`
    per : slopes are given per so many steps, such as 100 tokens; of no effect on tau
    level, resamples, seed : of the interval; `draws` and the seed: of the test

    Raises
    ------
    ValueError : another kind
    """
    if kind not in TRENDS:
        raise ValueError(f"two_stage.kind must be one of {', '.join(TRENDS)}; got {kind!r}.")
    by_image = trends(values, kind, per)
    if control is not None:
        by_image = by_image - trends(control, kind, per)
    interval = cluster_bca(mean(by_image), len(by_image), level=level, resamples=resamples, seed=seed)
    p, p_max_t = sign_flip(by_image, draws=draws, seed=seed)
    n = np.isfinite(by_image).sum(axis=0)
    return TwoStage(by_image, n, interval.estimate, interval.low, interval.high, p, p_max_t, interval.reason)


def trends(values: Float[np.ndarray, "image step quantity"], kind: str, per: float | int = 1) -> Float[np.ndarray, "image quantity"]:
    """The first stage alone: tau, or slope per `per` steps, of every image and quantity."""
    found = np.full((values.shape[0], values.shape[2]), np.nan)
    for image, series in enumerate(values):
        found[image] = TRENDS[kind](series)
    return found if kind == "tau" else per * found


def kendall_tau(values: Float[np.ndarray, "step quantity"]) -> Float[np.ndarray, " quantity"]:
    """Kendall's tau-b of each column with the step number, NaN steps left out; NaN for under 3 steps or a constant column.

    Steps have no ties, so tau-b = S / sqrt(N (N - T)) with N pairs of steps, of which T are tied in value (Kendall 1945).
    """
    return np.array([_tau(column[np.isfinite(column)], np.flatnonzero(np.isfinite(column))) for column in values.T])


def theil_sen(values: Float[np.ndarray, "step quantity"]) -> Float[np.ndarray, " quantity"]:
    """Median of the slopes of all pairs of steps (Theil 1950, Sen 1968), a step, in the column's unit; NaN for under 3 steps."""
    return np.array([_slope(column[np.isfinite(column)], np.flatnonzero(np.isfinite(column))) for column in values.T])


def least_squares(values: Float[np.ndarray, "step quantity"]) -> Float[np.ndarray, " quantity"]:
    """Least-squares slope of each column on the step number, a step, NaN steps left out; NaN for under 3 steps."""
    present = np.isfinite(values)
    count = present.sum(axis=0)
    known = np.where(present, values, 0.0)
    step = np.arange(len(values))[:, None] * present
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.where(present, step - step.sum(axis=0) / count, 0.0)
        return np.where(count >= 3, (apart * known).sum(axis=0) / (apart**2).sum(axis=0), np.nan)


TRENDS = {"tau": kendall_tau, "slope": least_squares, "theil_sen": theil_sen}


def _tau(column: np.ndarray, step: np.ndarray) -> float:
    if len(column) < 3:
        return float("nan")
    later, earlier = _pairs(len(step))
    sign = np.sign(column[later] - column[earlier])
    pairs = len(sign)
    untied = np.count_nonzero(sign)
    return float(sign.sum() / np.sqrt(pairs * untied)) if untied else float("nan")


def _slope(column: np.ndarray, step: np.ndarray) -> float:
    if len(column) < 3:
        return float("nan")
    later, earlier = _pairs(len(step))
    return float(np.median((column[later] - column[earlier]) / (step[later] - step[earlier])))


@lru_cache(maxsize=128)
def _pairs(steps: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tril_indices(steps, -1)
