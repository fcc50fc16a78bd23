"""How large a difference is, beside whether there is one: standardised means, who is larger how often, ratios of rates.

Slopes per 100 tokens are `trend.two_stage(..., kind="theil_sen", per=100)`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln

from analysis.stats.bootstrap import (
    LEVEL,
    RESAMPLES,
    Interval,
    between,
    cluster_bca,
    difference,
    mean,
    multiplicity_of_images,
    ratio,
    unpaired_bca,
)


def hedges_factor(degrees: int) -> float:
    """Hedges' exact correction of a standardised mean: gamma(m/2) / (sqrt(m/2) gamma((m-1)/2)), Hedges (1981) eq. 6e."""
    if degrees < 2:
        return float("nan")
    return float(np.exp(gammaln(degrees / 2) - gammaln((degrees - 1) / 2)) / np.sqrt(degrees / 2))


def standardised_change(treated: Float[np.ndarray, " image"], control: Float[np.ndarray, " image"]) -> tuple[float, float]:
    """Mean difference of paired arms as d_z, over the spread of the differences, and as Hedges' g_av, over that of images in an arm.

    NaN with under 2 images, or without spread.
    """
    n = len(treated)
    if n < 2:
        return float("nan"), float("nan")
    change = treated - control
    spread = np.sqrt((treated.var(ddof=1) + control.var(ddof=1)) / 2)
    d_z = float(change.mean() / change.std(ddof=1)) if change.std() > 0 else float("nan")
    g_av = float(hedges_factor(n - 1) * change.mean() / spread) if spread > 0 else float("nan")
    return d_z, g_av


def cliffs_delta(
    first: Float[np.ndarray, "image quantity"],
    second: Float[np.ndarray, "other_image quantity"],
    *,
    paired: bool,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Cliff's delta, P(first > second) - P(first < second) over all pairs of a value of each, with its cluster BCa limits.

    Parameters
    ----------
    paired : row i of both is the same image, drawn together; otherwise two groups of images, each drawn by itself. NaN takes no part
    level, resamples, seed : of the interval

    Notes
    -----
    The interval resamples images, where Cliff's (1993) own stands on a normal approximation. For "in how many images is the one arm
    larger" use `superiority`: delta compares the arms' values also across images.
    """
    if paired and len(first) != len(second):
        raise ValueError(f"cliffs_delta.first and second must hold the same images where paired; got {len(first)} and {len(second)}.")
    with np.errstate(invalid="ignore"):
        sign = np.sign(first.T[:, :, None] - second.T[:, None, :])
    known = np.isfinite(sign)
    share = _pairs(np.where(known, sign, 0.0), known.astype(float))
    options: dict[str, Any] = {"level": level, "resamples": resamples, "seed": seed}
    if paired:
        return cluster_bca(lambda drawn: share(drawn, drawn), len(first), **options)
    return unpaired_bca(share, len(first), len(second), **options)


def superiority(
    treated: Float[np.ndarray, "image quantity"],
    control: Float[np.ndarray, "image quantity"],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Paired probability of superiority: share of images on which `treated` is larger, ties half, with its cluster BCa limits.

    Grissom & Kim (2012), dependent groups. 0.5 is no preference; an image without a value in both arms takes no part.
    """
    change = treated - control
    won = np.where(np.isfinite(change), (np.sign(change) + 1) / 2, np.nan)
    return cluster_bca(mean(won), len(won), level=level, resamples=resamples, seed=seed)


def rate_ratio(
    treated: tuple[Float[np.ndarray, "image quantity"], Float[np.ndarray, "image quantity"]],
    control: tuple[Float[np.ndarray, "other_image quantity"], Float[np.ndarray, "other_image quantity"]],
    *,
    paired: bool,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Ratio of two rates, each a ratio of sums over images such as hallucinated mentions per mention, with BCa limits on the log scale.

    Parameters
    ----------
    treated, control : numerators and denominators of each arm, by image
    paired : the same images in both arms, drawn together; otherwise two groups of images
    level, resamples, seed : of the interval

    Notes
    -----
    The log makes a halving and a doubling equally far from no effect, and the limits positive. (BCa would be the same on any scale if
    its acceleration were known; the jackknife estimates it a little differently on each.) A rate of zero has no logarithm: zero in some
    resamples leaves no limits, with a reason.
    """
    if paired and len(treated[0]) != len(control[0]):
        told = f"{len(treated[0])} and {len(control[0])}"
        raise ValueError(f"rate_ratio.treated and control must hold the same images where paired; got {told}.")
    logs = _log(ratio(*treated)), _log(ratio(*control))
    options: dict[str, Any] = {"level": level, "resamples": resamples, "seed": seed}
    if paired:
        found = cluster_bca(difference(*logs), len(treated[0]), **options)
    else:
        found = unpaired_bca(between(*logs), len(treated[0]), len(control[0]), **options)
    where = {True: "a rate is zero or undefined in some resamples", False: "a rate is zero or undefined"}
    named = tuple(where[bool(np.isfinite(e))] if why else "" for why, e in zip(found.reason, found.estimate, strict=True))
    return replace(found, estimate=np.exp(found.estimate), low=np.exp(found.low), high=np.exp(found.high), reason=named)


def _pairs(top: Float[np.ndarray, "quantity first second"], bottom: Float[np.ndarray, "quantity first second"]) -> Callable:
    """Ratio of two sums over all pairs of a drawn image of each group."""
    tables = list(zip(top, bottom, strict=True))

    def of(one: Int[np.ndarray, "*resample one"], other: Int[np.ndarray, "*resample other"]) -> Float[np.ndarray, " quantity *resample"]:
        rows, columns = multiplicity_of_images(one, top.shape[1]), multiplicity_of_images(other, top.shape[2])
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([((rows @ t) * columns).sum(axis=-1) / ((rows @ b) * columns).sum(axis=-1) for t, b in tables])

    return of


def _log(statistic: Callable) -> Callable:
    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(statistic(drawn))

    return of
