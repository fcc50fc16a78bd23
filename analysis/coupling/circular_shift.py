"""Circular-shift surrogates: a null that keeps autocorrelation, ranks shifted within their caption, all objects of an image together.

`analysis.stats.permutation.circular_shift` does it for one series an image. Objects that are followed until they are said differ in length
here, and are turned by the same share of it, so that what they have in common stays in common. All turns of a group come out of one Fourier
transform, which makes 999 draws as cheap as one.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.coupling.series import Series

DRAWS = 999
_TIE = 1e-9


@dataclass(frozen=True)
class CircularShift:
    """Mean over images of a coefficient beside its distribution under turning; one value a place.

    Attributes
    ----------
    observed, null_mean, null_low, null_high : the mean, and mean, 2.5 % and 97.5 % quantile of the draws
    p, p_max_t : two-sided, the observed order counted among the draws; alone, and corrected over the places
    """

    observed: Float[np.ndarray, " place"]
    null_mean: Float[np.ndarray, " place"]
    null_low: Float[np.ndarray, " place"]
    null_high: Float[np.ndarray, " place"]
    p: Float[np.ndarray, " place"]
    p_max_t: Float[np.ndarray, " place"]


def circular_shift_test(series: Series, images: int, *, draws: int = DRAWS, seed: int = 0) -> CircularShift:
    """Test of no association within captions; NaN with fewer than 2 images."""
    places = series.x.shape[1]
    if len(np.unique(series.image)) < 2:
        return CircularShift(*(np.full(places, np.nan) for _ in range(6)))
    share = np.random.default_rng(seed).random((images, draws))
    share = np.concatenate([np.zeros((images, 1)), share], axis=1)  # the first is the observed order
    objects = np.bincount(series.image, minlength=images)
    every = np.zeros((draws + 1, places))
    ends = [*series.start[1:], len(series.y)]
    for first, last, image in zip(series.start, ends, series.image, strict=True):
        by_shift = all_shifts(series.x[first:last], series.y[first:last])
        every += by_shift[(share[image] * (last - first)).astype(int)] / objects[image]
    every /= np.count_nonzero(objects)
    far, spread = np.abs(every - every.mean(axis=0)), every.std(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = far / spread
    varies = spread > _TIE
    p, corrected = np.full(places, np.nan), np.full(places, np.nan)
    p[varies] = (scaled[:, varies] >= scaled[0, varies] - _TIE).mean(axis=0)
    if varies.any():
        corrected[varies] = (scaled[:, varies].max(axis=1)[:, None] >= scaled[0, varies] - _TIE).mean(axis=0)
    low, high = np.quantile(every[1:], [0.025, 0.975], axis=0)
    return CircularShift(every[0], every[1:].mean(axis=0), low, high, p, corrected)


def all_shifts(x: Float[np.ndarray, "step place"], y: Float[np.ndarray, " step"]) -> Float[np.ndarray, "shift place"]:
    """Sum over steps of x at t times y at t + shift, counted round the end, for every shift."""
    spectrum = np.fft.rfft(x, axis=0).conj() * np.fft.rfft(y)[:, None]
    return np.fft.irfft(spectrum, n=len(y), axis=0)
