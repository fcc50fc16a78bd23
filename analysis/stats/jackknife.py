"""Intervals that leave out one image at a time, for statistics that copies of an image would distort.

A bootstrap draws images more than once. A statistic of ranks in small groups, such as the precision among the cases of one position, takes
a copy of a positive for another positive as good as itself, so that its resamples all lie above the estimate. Leaving out copies nothing.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit
from scipy.stats import t

from analysis.stats.bootstrap import LEVEL, Interval, Statistic


def cluster_jackknife(statistic: Statistic, images: int, *, level: float = LEVEL, share: bool = False) -> Interval:
    """Estimates with limits from the jackknife variance over images (Tukey 1958) and t with images - 1 degrees of freedom.

    Parameters
    ----------
    statistic : maps indices of images "*resample drawn" to values "quantity *resample", as for `cluster_bca`
    share : limits symmetric on the logit scale, for statistics that lie between 0 and 1

    Raises
    ------
    ValueError : a level outside of (0, 1)
    """
    if not 0 < level < 1:
        raise ValueError(f"cluster_jackknife.level must lie in (0, 1); got {level}.")
    everything = np.arange(images)
    estimate = np.asarray(statistic(everything), dtype=float)
    nothing = np.full_like(estimate, np.nan)
    if images < 2:
        return Interval(estimate, nothing, nothing.copy(), tuple("an interval needs at least 2 images" for _ in estimate))
    left = statistic(np.array([np.delete(everything, image) for image in everything]))
    half = t.ppf((1 + level) / 2, images - 1) * _spread(left)
    with np.errstate(divide="ignore", invalid="ignore"):
        if share:
            half = half / (estimate * (1 - estimate))
            low, high = expit(logit(estimate) - half), expit(logit(estimate) + half)
        else:
            low, high = estimate - half, estimate + half
    reason = tuple(_reason(e, lv, h) for e, lv, h in zip(estimate, left, half, strict=True))
    kept = np.array([text == "" for text in reason], dtype=bool)
    return Interval(estimate, np.where(kept, low, np.nan), np.where(kept, high, np.nan), reason)


def _spread(left: Float[np.ndarray, "quantity image"]) -> Float[np.ndarray, " quantity"]:
    images = left.shape[1]
    return np.sqrt((images - 1) / images * ((left - left.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))


def _reason(estimate: float, left: np.ndarray, half: float) -> str:
    if not np.isfinite(estimate):
        return "no image has a value"
    if not np.isfinite(left).all():
        return "undefined without one of the images"
    return "" if np.isfinite(half) and half > 0 else "no variation between images"
