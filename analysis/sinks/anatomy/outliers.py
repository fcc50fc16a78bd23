"""Outliers among the patches of an image: those whose state has a norm far above the others' (registers, arXiv 2309.16588)."""

import numpy as np
from jaxtyping import Float

NORMAL = 1.4826
"""Standard deviation of a normal law over its median absolute deviation."""


def robust_z(norms: Float[np.ndarray, "*layer patch"]) -> Float[np.ndarray, "*layer patch"]:
    """Distance from the median, in standard deviations that are estimated from the median absolute deviation.

    NaN for patches that are all alike, and where fewer than half of them differ from the median.
    """
    away = norms - np.median(norms, axis=-1, keepdims=True)
    spread = NORMAL * np.median(np.abs(away), axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, away / spread, np.nan)


def contrast(pixels: Float[np.ndarray, "*axes"], patches: int) -> Float[np.ndarray, " patch"]:
    """Standard deviation of the pixels in each patch, mean over channels; NaN unless they are "channel row column" of a square."""
    grid = round(patches**0.5)
    side = pixels.shape[-1] // max(grid, 1)
    if grid * grid != patches or pixels.ndim != 3 or pixels.shape[1:] != (grid * side, grid * side):
        return np.full(patches, np.nan)
    blocks = pixels.reshape(len(pixels), grid, side, grid, side)
    return blocks.std((2, 4)).mean(0).reshape(-1)
