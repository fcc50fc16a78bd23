"""Trends over decoding steps, in two stages: one number an image, then a test over images.

Consecutive tokens resemble each other, so Kendall's own p-value of one caption rejects far too often. Its tau is still an
unbiased description of that caption; whether taus differ from zero is asked of the images, which are independent.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float


def kendall_tau(values: Float[np.ndarray, "step quantity"]) -> Float[np.ndarray, "quantity"]:
    """Kendall's tau-b of each column with the step number, NaN steps left out; NaN for under 3 steps or a constant column.

    Steps have no ties, so tau-b = S / sqrt(N (N - T)) with N pairs of steps, of which T are tied in value (Kendall 1945).
    """
    return np.array([_tau(column[np.isfinite(column)], np.flatnonzero(np.isfinite(column))) for column in values.T])


def theil_sen(values: Float[np.ndarray, "step quantity"]) -> Float[np.ndarray, "quantity"]:
    """Median of the slopes of all pairs of steps (Theil 1950, Sen 1968), a step, in the column's unit; NaN for under 3 steps."""
    return np.array([_slope(column[np.isfinite(column)], np.flatnonzero(np.isfinite(column))) for column in values.T])


def _tau(column: np.ndarray, step: np.ndarray) -> float:
    if len(column) < 3:
        return float("nan")
    later, earlier = _pairs(len(step))
    sign = np.sign(column[later] - column[earlier])
    pairs = len(sign)
    untied = np.count_nonzero(sign)
    return float(sign.sum() / np.sqrt(pairs * untied)) if untied else float("nan")


def _slope(column: np.ndarray, step: np.ndarray) -> float:
    if len(column) < 3:
        return float("nan")
    later, earlier = _pairs(len(step))
    return float(np.median((column[later] - column[earlier]) / (step[later] - step[earlier])))


@lru_cache(maxsize=16)
def _pairs(steps: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tril_indices(steps, -1)
