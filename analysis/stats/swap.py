"""Permutation test for ratios of sums: exchange the two arms of an image, all of its counts together."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from analysis.stats.paired import DRAWS, flips

_TIE = 1e-9


def swap_test(
    treated: Float[np.ndarray, "image count"],
    control: Float[np.ndarray, "image count"],
    ratios: Callable[[Float[np.ndarray, "*draw count"]], Float[np.ndarray, " quantity *draw"]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Float[np.ndarray, " quantity"]:
    """Two-sided p of "both arms have the same ratio", for every quantity that `ratios` makes of summed counts.

    Under the null an image's counts might as well come from the other arm. Exact (all 2^n exchanges) where these are no more than
    `draws`. NaN with fewer than 2 images, where a ratio is undefined, or where no image differs between the arms.
    """
    observed = np.abs(ratios(treated.sum(axis=0)) - ratios(control.sum(axis=0)))
    if len(treated) < 2 or not (treated != control).any():
        return np.full(len(observed), np.nan)
    exchanged, exact = flips(len(treated), draws, seed)
    moved = exchanged.astype(float) @ (control - treated)
    null = np.abs(ratios(treated.sum(axis=0) + moved) - ratios(control.sum(axis=0) - moved))
    extra = 0 if exact else 1
    reached = np.where(np.isfinite(null), null >= observed[:, None] - _TIE, True)  # an exchange that empties an arm speaks for the null
    p = (reached.sum(axis=1) + extra) / (null.shape[1] + extra)
    return np.where(np.isfinite(observed), p, np.nan)
