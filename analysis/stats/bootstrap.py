"""Confidence intervals that resample images, since the tokens, layers and captions of one image are not independent.

The interval is scipy's BCa on the *indices* of the images: the jackknife inside it then leaves out one image, not one token. Any
statistic of a set of images fits: means of paired differences, medians, ratios of sums (CHAIR_i, recall), AUROC, differences of such.
Arms on the same images are paired: one drawing serves both (`cluster_bca`). Two groups of different images are drawn independently
(`unpaired_bca`).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import bootstrap

RESAMPLES, LEVEL, BATCH = 4999, 0.95, 500
FEW = "undefined in some resamples: too few images have a value"

Statistic = Callable[[Int[np.ndarray, "*resample drawn"]], Float[np.ndarray, " quantity *resample"]]
TwoGroups = Callable[[Int[np.ndarray, "*resample first"], Int[np.ndarray, "*resample second"]], Float[np.ndarray, " quantity *resample"]]


@dataclass(frozen=True)
class Interval:
    """Estimates with their cluster-bootstrap limits.

    Attributes
    ----------
    estimate, low, high : Float[np.ndarray, "quantity"]
        In the statistic's unit; a limit is NaN where it cannot be had.
    reason : tuple of str
        Why a limit is NaN; "" where it is not.
    """

    estimate: Float[np.ndarray, " quantity"]
    low: Float[np.ndarray, " quantity"]
    high: Float[np.ndarray, " quantity"]
    reason: tuple[str, ...]


def cluster_bca(statistic: Statistic, images: int, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Bias-corrected and accelerated interval of a statistic of images (Efron 1987), all images drawn together.

    Parameters
    ----------
    statistic : maps indices of images "*resample drawn" to values "quantity *resample"; `mean` and `ratio` make such
    images : how many there are; the indices run from 0 to images - 1
    level : coverage, in (0, 1)
    resamples, seed : number of bootstrap resamples, and the generator's seed
    """
    return _bca("cluster_bca", statistic, (images,), level, resamples, seed)


def unpaired_bca(
    statistic: TwoGroups, first: int, second: int, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """BCa interval of a statistic of two groups of different images, each drawn by itself; the jackknife leaves out one image of either.

    Parameters
    ----------
    statistic : maps drawn indices of both groups to values "quantity *resample"; `between` makes such
    first, second : images in each group
    level, resamples, seed : as in `cluster_bca`
    """
    return _bca("unpaired_bca", statistic, (first, second), level, resamples, seed)


def ratio_bca(
    numerators: Float[np.ndarray, "image quantity"],
    denominators: Float[np.ndarray, "image quantity"],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Interval of a ratio of sums over images; where the denominator is 0 in some resamples the reason says how many images carry it."""
    found = cluster_bca(ratio(numerators, denominators), len(numerators), level=level, resamples=resamples, seed=seed)
    with_any = (denominators != 0).sum(axis=0)
    reason = tuple(
        f"the denominator is zero in some resamples: {n} of {len(denominators)} images have one" if why == FEW else why
        for why, n in zip(found.reason, with_any, strict=True)
    )
    return replace(found, reason=reason)


def mean(values: Float[np.ndarray, "image quantity"]) -> Statistic:
    """Statistic: the mean over images of each column; an image whose value is NaN does not take part in that column."""
    present = np.isfinite(values)
    return ratio(np.where(present, values, 0.0), present.astype(float))


def ratio(numerators: Float[np.ndarray, "image quantity"], denominators: Float[np.ndarray, "image quantity"]) -> Statistic:
    """Statistic: ratio of sums over images, the estimator of rates per mention or per token; NaN where the denominator is zero."""

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        count = multiplicity_of_images(drawn, len(numerators))
        with np.errstate(invalid="ignore", divide="ignore"):
            below = count @ denominators
            return np.moveaxis(np.where(below == 0, np.nan, (count @ numerators) / below), -1, 0)

    return of


def median(values: Float[np.ndarray, "image quantity"]) -> Statistic:
    """Statistic: the median over images of each column; an image whose value is NaN does not take part in that column."""

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of a resample without a value; here it becomes a reason
            return np.stack([np.nanmedian(column[drawn], axis=-1) for column in values.T])

    return of


def difference(first: Statistic, second: Statistic) -> Statistic:
    """Statistic: `first - second` on the same drawn images, so that what an image adds to both cancels."""
    return lambda drawn: first(drawn) - second(drawn)


def between(first: Statistic, second: Statistic) -> TwoGroups:
    """Statistic of two groups: `first` of the one minus `second` of the other."""
    return lambda one, other: first(one) - second(other)


def multiplicity_of_images(drawn: Int[np.ndarray, "*resample drawn"], images: int) -> Float[np.ndarray, "*resample image"]:
    """How often each image was drawn: sums over a resample are then one matrix product."""
    rows = drawn.reshape(int(np.prod(drawn.shape[:-1])), drawn.shape[-1])
    offset = rows + images * np.arange(len(rows))[:, None]
    return np.bincount(offset.ravel(), minlength=len(rows) * images).reshape(*drawn.shape[:-1], images).astype(float)


def _bca(name: str, statistic: Callable[..., np.ndarray], groups: tuple[int, ...], level: float, resamples: int, seed: int) -> Interval:
    if not 0 < level < 1:
        raise ValueError(f"{name}.level must lie in (0, 1); got {level}.")
    everything = tuple(np.arange(images) for images in groups)
    estimate = np.asarray(statistic(*everything), dtype=float)
    nothing = np.full_like(estimate, np.nan)
    if min(groups) < 2:
        return Interval(estimate, nothing, nothing.copy(), tuple("an interval needs at least 2 images" for _ in estimate))
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore")  # scipy warns of degenerate resamples; here they become a reason
        same = steady(statistic, groups, seed)
        result = bootstrap(
            everything,
            lambda *drawn, axis=-1: same(*map(np.asarray, drawn)),
            vectorized=True,
            axis=-1,
            n_resamples=resamples,
            batch=BATCH,
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    low, high = (np.asarray(limit, dtype=float) for limit in result.confidence_interval)
    draws = np.asarray(result.bootstrap_distribution)
    reason = tuple(_reason(e, d, lo, hi) for e, d, lo, hi in zip(estimate, draws, low, high, strict=True))
    return Interval(estimate, low, high, reason)


def steady(statistic: Callable[..., np.ndarray], groups: tuple[int, ...], seed: int) -> Callable[..., np.ndarray]:
    """The statistic to twelve digits of its size.

    BCa counts resamples below the estimate, ties half. Which of those equal to it fall below would hang on the order of a sum, and that
    on the number of threads and the processor.
    """
    rng = np.random.default_rng(seed)
    size = np.abs(statistic(*[rng.integers(0, images, (64, images)) for images in groups])).max(axis=-1)
    grain = 10.0 ** (np.floor(np.log10(np.where(np.isfinite(size) & (size > 0), size, 1.0))) - 12)

    def of(*drawn: np.ndarray) -> np.ndarray:
        step = grain.reshape(-1, *[1] * (drawn[0].ndim - 1))
        return np.round(statistic(*drawn) / step) * step

    return of


def _reason(estimate: float, draws: Float[np.ndarray, " resample"], low: float, high: float) -> str:
    if np.isfinite(low) and np.isfinite(high):
        return ""
    if not np.isfinite(estimate):
        return "no image has a value"
    if not np.isfinite(draws).all():
        return FEW
    return "no variation between images"
