"""Repeated-measures correlation (Bland & Altman 1995; Bakdash & Marusich 2017): one slope for all images, an intercept for each.

It equals Pearson's correlation of deviations from each image's means. Its own interval takes the cases of an image as independent about
that line; the limits over images beside it do not.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.stats import norm, t

from analysis.stats.bootstrap import LEVEL, RESAMPLES, cluster_bca, multiplicity_of_images


@dataclass(frozen=True)
class Repeated:
    """One slope shared by all images, as a correlation.

    Attributes
    ----------
    r : correlation within images, in -1 to 1; NaN where x or y is constant within every image
    low, high : cluster-bootstrap (BCa) limits, images drawn
    degrees : cases - images - 1
    p, fisher_low, fisher_high : t test of r = 0 and Fisher's limits at these degrees, right only for cases without autocorrelation
    n_images, n_cases : images with at least 2 cases
    reason : why a number is NaN, or ""
    """

    r: float
    low: float
    high: float
    degrees: int
    p: float
    fisher_low: float
    fisher_high: float
    n_images: int
    n_cases: int
    reason: str


def repeated_correlation(
    x: Float[np.ndarray, " case"],
    y: Float[np.ndarray, " case"],
    image: Shaped[np.ndarray, " case"],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Repeated:
    """Correlation of x and y that all images share; a case with NaN, and an image with fewer than 2 cases, take no part."""
    known = ~(np.isnan(x) | np.isnan(y))
    names, number = np.unique(image[known], return_inverse=True)
    number = number.reshape(-1)
    size = np.bincount(number, minlength=len(names))
    dx, dy = (_deviation(values[known], number, size) for values in (x, y))
    products = (dx * dy, dx * dx, dy * dy)
    sums = np.stack([np.bincount(number, weights=part, minlength=len(names)) for part in products], axis=1)[size > 1].astype(float)
    images, cases = len(sums), int(size[size > 1].sum())
    degrees = cases - images - 1
    r = float(_correlation(sums.sum(axis=0)))
    if not np.isfinite(r) or degrees < 1:
        few = "too few cases" if degrees < 1 else "x or y does not vary within images"
        return Repeated(r, *(np.nan,) * 2, degrees, *(np.nan,) * 3, images, cases, few)

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        return _correlation(multiplicity_of_images(drawn, images) @ sums)[None]

    interval = cluster_bca(of, images, level=level, resamples=resamples, seed=seed)
    with np.errstate(divide="ignore"):
        p = 2 * t.sf(abs(r) * np.sqrt(degrees / max(1 - r * r, np.finfo(float).tiny)), degrees)
        half = norm.ppf((1 + level) / 2) / np.sqrt(degrees - 1) if degrees > 1 else np.nan
        fisher = np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)
    return Repeated(
        r,
        float(interval.low[0]),
        float(interval.high[0]),
        degrees,
        float(p),
        float(fisher[0]),
        float(fisher[1]),
        images,
        cases,
        interval.reason[0],
    )


def _deviation(values: np.ndarray, number: np.ndarray, size: np.ndarray) -> np.ndarray:
    """From the image's mean; zero where only rounding is left."""
    rest = values - (np.bincount(number, weights=values, minlength=len(size)) / size)[number]
    return np.where(np.abs(rest) <= 1e-12 * np.abs(values).max(initial=0), 0.0, rest)


def _correlation(sums: Float[np.ndarray, "*resample 3"]) -> Float[np.ndarray, "*resample"]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / np.sqrt(sums[..., 1] * sums[..., 2]))
