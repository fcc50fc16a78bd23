"""Equivalence: an absent difference is shown by an interval inside a margin, never by a large p-value of a test for a difference.

The margin is fixed before looking, in the unit of what is compared. Equivalence is two one-sided tests (Schuirmann 1987), which at 5 %
each is the same as a 90 % interval inside of (-margin, margin); non-inferiority is the lower one of the two alone.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from analysis.stats.bootstrap import BATCH, RESAMPLES, Statistic, cluster_bca, steady


@dataclass(frozen=True)
class Equivalence:
    """Whether a difference lies within (-margin, margin); every field holds one value a quantity.

    Attributes
    ----------
    estimate, low, high : the difference and its limits, in its own unit; a limit is NaN where it cannot be had
    p : the larger p of the two one-sided tests: small where the difference lies within the margin
    equivalent : both limits lie within the margin
    p_not_inferior, not_inferior : the same of the lower bound alone: not worse by the margin, where more is better
    reason : why there is no test, or ""; where there is none nothing is called equivalent
    """

    estimate: Float[np.ndarray, " quantity"]
    low: Float[np.ndarray, " quantity"]
    high: Float[np.ndarray, " quantity"]
    p: Float[np.ndarray, " quantity"]
    equivalent: Bool[np.ndarray, " quantity"]
    p_not_inferior: Float[np.ndarray, " quantity"]
    not_inferior: Bool[np.ndarray, " quantity"]
    reason: tuple[str, ...]


def equivalence(
    statistic: Statistic, images: int, margin: float, level: float = 0.90, seed: int = 0, *, resamples: int = RESAMPLES
) -> Equivalence:
    """Two one-sided tests by the cluster bootstrap, for any statistic of images: a difference of ratios of sums such as F1.

    Parameters
    ----------
    statistic : the difference between two arms, as `bootstrap.difference` makes it
    images : how many there are
    margin : the largest difference that does not matter, positive, in the statistic's unit
    level : coverage of the interval; each of the two tests is held at (1 - level) / 2

    Notes
    -----
    p is the level at which the BCa limit would touch the margin, so that p < (1 - level) / 2 says the same as the interval; the smallest
    p that the resamples can tell is about 1 / resamples.
    """
    _check("equivalence", margin, level)
    interval = cluster_bca(statistic, images, level=level, resamples=resamples, seed=seed)
    p_low, p_high = np.full_like(interval.estimate, np.nan), np.full_like(interval.estimate, np.nan)
    testable = np.array([not reason for reason in interval.reason], dtype=bool)
    if testable.any():
        same, everything = steady(statistic, (images,), seed), np.arange(images)
        centre, draws = same(everything), _draws(same, images, resamples, seed)
        left_out = same(np.array([np.delete(everything, image) for image in everything]))
        for quantity in np.flatnonzero(testable):
            told = centre[quantity], draws[quantity], left_out[quantity]
            p_low[quantity], p_high[quantity] = _chance_below(-margin, *told), 1 - _chance_below(margin, *told)
    return _verdict(interval.estimate, interval.low, interval.high, p_low, p_high, margin, interval.reason)


def paired_equivalence(
    treated: Float[np.ndarray, "image quantity"], control: Float[np.ndarray, "image quantity"], margin: float, level: float = 0.90
) -> Equivalence:
    """Two one-sided paired t tests (Schuirmann 1987) of one number an image; NaN in either arm leaves that image out of that column.

    Parameters
    ----------
    margin : the largest mean difference that does not matter, positive, in the numbers' unit
    level : coverage of the interval; each of the two tests is held at (1 - level) / 2
    """
    _check("paired_equivalence", margin, level)
    change = np.where(np.isfinite(treated - control), treated - control, np.nan)
    n = np.isfinite(change).sum(axis=0)
    reasons = tuple(_untestable(column[np.isfinite(column)]) for column in change.T)
    testable = np.array([not reason for reason in reasons], dtype=bool)
    mean, error, low, high, p_low, p_high = (np.full(change.shape[1], np.nan) for _ in range(6))
    mean[n > 0] = np.nanmean(change[:, n > 0], axis=0)
    error[testable] = np.nanstd(change[:, testable], axis=0, ddof=1) / np.sqrt(n[testable])
    reach = stats.t.ppf((1 + level) / 2, n[testable] - 1) * error[testable]
    low[testable], high[testable] = mean[testable] - reach, mean[testable] + reach
    p_low[testable] = stats.t.sf((mean[testable] + margin) / error[testable], n[testable] - 1)
    p_high[testable] = stats.t.cdf((mean[testable] - margin) / error[testable], n[testable] - 1)
    return _verdict(mean, low, high, p_low, p_high, margin, reasons)


def _verdict(
    estimate: np.ndarray, low: np.ndarray, high: np.ndarray, p_low: np.ndarray, p_high: np.ndarray, margin: float, reason: tuple[str, ...]
) -> Equivalence:
    # a NaN limit compares false: what could not be tested is not equivalent
    above, below = low > -margin, high < margin
    return Equivalence(estimate, low, high, np.maximum(p_low, p_high), above & below, p_low, above, reason)


def _check(name: str, margin: float, level: float) -> None:
    if not (np.isfinite(margin) and margin > 0):
        raise ValueError(f"{name}.margin must be positive, in the unit of the difference; got {margin}.")
    if not 0 < level < 1:
        raise ValueError(f"{name}.level must lie in (0, 1); got {level}.")


def _untestable(differences: Float[np.ndarray, " image"]) -> str:
    if len(differences) < 2:
        return "a test over images needs at least 2 images" if len(differences) else "no image has a value in both arms"
    return "no variation between images" if np.ptp(differences) == 0 else ""


def _draws(statistic: Statistic, images: int, resamples: int, seed: int) -> Float[np.ndarray, "quantity resample"]:
    """The resamples behind `cluster_bca`, to the bit: the same generator, batch by batch."""
    rng = np.random.default_rng(seed)
    sizes = [min(BATCH, resamples - start) for start in range(0, resamples, BATCH)]
    return np.concatenate([statistic(rng.integers(0, images, (size, images))) for size in sizes], axis=-1)


def _chance_below(bound: float, estimate: float, draws: Float[np.ndarray, " resample"], left_out: Float[np.ndarray, " image"]) -> float:
    """One-sided level at which the BCa limit equals `bound`: the inverse of Efron (1987) eq. 6.6, kept within what the draws can tell."""
    least = 1 / (len(draws) + 1)
    # percentiles interpolate between order statistics, and so does their inverse here
    share = np.interp(bound, np.sort(draws), np.linspace(0, 1, len(draws)))
    bias = stats.norm.ppf(((draws < estimate).mean() + (draws <= estimate).mean()) / 2)
    apart = left_out.mean() - left_out
    acceleration = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    turned = stats.norm.ppf(np.clip(share, least, 1 - least)) - bias
    # strong skew and a far bound: no level reaches it, which the extreme level says
    accelerated = turned / max(1 + acceleration * turned, 1e-9)
    return float(np.clip(stats.norm.cdf(accelerated - bias), least, 1 - least))
