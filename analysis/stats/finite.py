"""Means over what is known, where a part of an array has no value."""

import numpy as np
from jaxtyping import Float


def finite_mean(values: Float[np.ndarray, "*all"], axis: int | tuple[int, ...]) -> Float[np.ndarray, "*rest"]:
    """Mean of what is finite along `axis`; NaN, without a warning, where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    return np.where(known, values, 0.0).sum(axis=axis) / np.where(count > 0, count, np.nan)
