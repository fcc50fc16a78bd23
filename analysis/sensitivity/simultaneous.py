"""Inference that holds for several quantities at once: intervals by the largest deviation of a bootstrap, and the test of flatness."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.stats.paired import DRAWS


@dataclass(frozen=True)
class Together:
    """Intervals of several quantities that hold all at once, and p-values corrected for all of them.

    Attributes
    ----------
    low, high : estimate -+ q s, with s the bootstrap's standard deviation and q the quantile of the largest |deviation| / s
    p : share of draws whose largest |deviation| / s reaches |estimate| / s; NaN, as the limits, where nothing varies
    """

    low: Float[np.ndarray, " quantity"]
    high: Float[np.ndarray, " quantity"]
    p: Float[np.ndarray, " quantity"]


def together(estimate: Float[np.ndarray, " quantity"], draws: Float[np.ndarray, "draw quantity"], level: float) -> Together:
    """Simultaneous intervals by the bootstrap of the largest studentised deviation (max-T; Efron & Tibshirani 1993, ch. 15)."""
    limits = [np.full(len(estimate), np.nan) for _ in range(3)]
    varies = np.isfinite(estimate) & np.isfinite(draws).all(axis=0)
    varies[varies] = draws[:, varies].std(axis=0) > 1e-7  # of 32-bit counts: less is rounding
    if varies.any():
        spread = draws[:, varies].std(axis=0, ddof=1)
        largest = (np.abs(draws[:, varies] - estimate[varies]) / spread).max(axis=1)
        reach = np.quantile(largest, level) * spread
        limits[0][varies], limits[1][varies] = estimate[varies] - reach, estimate[varies] + reach
        reached = largest[:, None] >= np.abs(estimate[varies] / spread)
        limits[2][varies] = (reached.sum(axis=0) + 1) / (len(draws) + 1)
    return Together(*limits)


def range_of(values: Float[np.ndarray, " setting"], draws: Float[np.ndarray, "draw setting"], level: float) -> tuple[float, float, float]:
    """Largest minus smallest over settings, with limits that hold at least at `level`.

    Simultaneous intervals of all pairs' differences bound the largest of them: it lies between the largest lower and the largest upper
    limit of |difference|. The estimate itself is biased upwards, since noise alone spreads equal settings; the limits are not.

    Returns
    -------
    estimate, low, high : low is 0 where no pair is told apart; NaN where the settings do not vary
    """
    first, second = np.triu_indices(len(values), 1)
    change = values[first] - values[second]
    sign = np.where(change < 0, -1.0, 1.0)
    found = together(sign * change, sign * (draws[:, first] - draws[:, second]), level)
    estimate = float(np.ptp(values))
    if np.isnan(found.low).all():
        return estimate, float("nan"), float("nan")
    return estimate, max(0.0, float(np.nanmax(found.low))), float(np.nanmax(found.high))


def flatness(
    above: Float[np.ndarray, "setting image measure"],
    below: Float[np.ndarray, "setting image measure"],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Float[np.ndarray, " measure"]:
    """p of "all settings of an option are exchangeable within an image", against a range of ratios of sums over settings.

    Each image's settings are turned round by a random number of places, which under the null changes nothing, keeps what an image's
    settings share, and leaves the ratio pooled over settings as it is. The statistic is the largest minus the smallest over settings
    of the sum over images of numerator minus pooled ratio times denominator. p counts the observed one among the draws; NaN where a
    ratio is undefined or nothing differs.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        score = above - above.sum((0, 1)) / below.sum((0, 1)) * below
    score[np.abs(score) < 1e-9] = 0.0
    settings, images, measures = score.shape
    turned = np.random.default_rng(seed).integers(0, settings, (draws, images))
    flat = score.transpose(1, 0, 2)
    total = np.zeros((draws, settings * measures))
    for places in range(settings):
        total += (turned == places).astype(float) @ np.roll(flat, places, axis=1).reshape(images, -1)
    null = np.ptp(total.reshape(draws, settings, measures), axis=1)
    observed = np.ptp(score.sum(axis=1), axis=0)
    p = ((null >= observed - 1e-9).sum(axis=0) + 1) / (draws + 1)
    differs = np.isfinite(observed) & (np.ptp(score, axis=0) > 0).any(axis=0)
    return np.where(differs, p, np.nan)
