"""Slopes over steps of many objects of an image at once, each object with a level of its own.

Objects leave a set when the caption says them, the likeliest first, so that the mean of those left would move though no object does. A
least-squares slope with one level an object compares each object with itself only.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

PER_TOKENS = 100


def own_level_slopes(
    values: Float[np.ndarray, "image step object"],
    used: Bool[np.ndarray, "image step object"],
    min_steps: int,
) -> Float[np.ndarray, " image"]:
    """Least-squares slope of an image's values on the step, a level for every object, per 100 steps.

    sum (t - mean t of the object) y / sum (t - mean t of the object)^2 over the image's objects and their used steps. NaN where fewer than
    `min_steps` steps have an object, or no object has two.
    """
    known = used & np.isfinite(values)
    step = np.arange(values.shape[1], dtype=float)[None, :, None]
    count = known.sum(axis=1)
    mean_step = (known * step).sum(axis=1) / np.maximum(count, 1)
    apart = np.where(known, step - mean_step[:, None, :], 0.0)
    top = np.einsum("ito,ito->i", apart, np.where(known, values, 0.0))
    below = np.einsum("ito,ito->i", apart, apart)
    enough = known.any(axis=2).sum(axis=1) >= min_steps
    return PER_TOKENS * np.where(enough & (below > 0), top, np.nan) / np.where(below > 0, below, 1.0)


def distance_from_mean(
    values: Float[np.ndarray, "image step object"], used: Bool[np.ndarray, "image step object"]
) -> Float[np.ndarray, "image step object"]:
    """Squared distance of each value from the mean, over images and objects, of those used at the same step."""
    known = used & np.isfinite(values)
    filled = np.where(known, values, 0.0)
    count = known.sum(axis=(0, 2))
    mean = filled.sum(axis=(0, 2)) / np.maximum(count, 1)
    # a step with one value has no distance from itself
    return np.where(known & (count > 1)[None, :, None], (values - mean[None, :, None]) ** 2, np.nan)


def sums(
    values: Float[np.ndarray, "image step object"], used: Bool[np.ndarray, "image step object"]
) -> tuple[Int[np.ndarray, "image step"], Float[np.ndarray, "image step"], Float[np.ndarray, "image step"]]:
    """Of the objects used at each step of an image: how many, sum, and sum of squares; what means and variances over images are made of."""
    known = used & np.isfinite(values)
    filled = np.where(known, values, 0.0)
    return known.sum(axis=2), filled.sum(axis=2), (filled**2).sum(axis=2)
