"""Paired shares: did more images have the property (a hallucination, say) under one arm than under the other?

Only images on which the arms differ speak, so a share such as CHAIR_s is compared by McNemar's exact test, and the difference of the two
shares gets the interval of Newcombe's square-and-add method, which holds its level for few images and for shares near 0 or 1.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest


@dataclass(frozen=True)
class McNemar:
    """What two arms' yes or no on the same images say.

    Attributes
    ----------
    n : images
    only_treated, only_control : images with the property under one arm only
    difference : share under treatment minus share under control, 1
    low, high : limits of the difference, 1; NaN without images
    p : two-sided, exact; 1 where no image differs, NaN without images
    """

    n: int
    only_treated: int
    only_control: int
    difference: float
    low: float
    high: float
    p: float


def mcnemar(treated: Bool[np.ndarray, " image"], control: Bool[np.ndarray, " image"], level: float = 0.95) -> McNemar:
    """McNemar's exact (binomial) test of equal shares, and the paired risk difference `treated - control` with its interval.

    Parameters
    ----------
    treated, control : whether each image has the property under the arm, the same images in the same order
    level : coverage of the interval, in (0, 1)

    Raises
    ------
    ValueError : the level lies outside of (0, 1), or the arms are not yes or no on equally many images

    Source: McNemar (1947); Newcombe (1998), Statistics in Medicine 17, 2635-2650, method 10.
    """
    if not 0 < level < 1:
        raise ValueError(f"mcnemar.level must lie in (0, 1); got {level}.")
    if treated.shape != control.shape or treated.dtype != bool or control.dtype != bool:
        told = f"{treated.dtype} {treated.shape} and {control.dtype} {control.shape}"
        raise ValueError(f"mcnemar.treated and control must be boolean, of the same images; got {told}.")
    n, both = len(treated), int((treated & control).sum())
    only_treated, only_control = int((treated & ~control).sum()), int((control & ~treated).sum())
    if n == 0:
        return McNemar(0, 0, 0, *[math.nan] * 4)
    differ = only_treated + only_control
    p = _exact(only_treated, differ) if differ else 1.0
    low, high = paired_difference(both, only_treated, only_control, n - both - differ, level)
    return McNemar(n, only_treated, only_control, (only_treated - only_control) / n, low, high, p)


def paired_difference(both: int, only_treated: int, only_control: int, neither: int, level: float = 0.95) -> tuple[float, float]:
    """Limits of the difference of two paired shares: two Wilson intervals, squared and added under the shares' correlation.

    Parameters
    ----------
    both, only_treated, only_control, neither : images in each cell of the two-by-two table; at least one in all

    Source: Newcombe (1998), method 10: phi with half of n taken off a positive numerator, and 0 where a margin is empty.
    """
    n = both + only_treated + only_control + neither
    treated, control = both + only_treated, both + only_control
    (treated_down, treated_up), (control_down, control_up) = _wilson_arms(treated, n, level), _wilson_arms(control, n, level)
    margins = treated * (n - treated) * control * (n - control)
    numerator: float = both * neither - only_treated * only_control
    numerator = max(numerator - n / 2, 0) if numerator > 0 else numerator
    phi = numerator / math.sqrt(margins) if margins else 0.0
    difference = (treated - control) / n
    down = math.sqrt(max(0.0, treated_down**2 - 2 * phi * treated_down * control_up + control_up**2))
    up = math.sqrt(max(0.0, treated_up**2 - 2 * phi * treated_up * control_down + control_down**2))
    return difference - down, difference + up


# few counts occur in the many samples of a simulation, and scipy takes half a millisecond for each
@lru_cache(maxsize=4096)
def _exact(count: int, n: int) -> float:
    """P-value of a fair coin, two-sided."""
    return float(binomtest(count, n).pvalue)


@lru_cache(maxsize=4096)
def _wilson_arms(count: int, n: int, level: float) -> tuple[float, float]:
    """How far Wilson's interval reaches below and above the share."""
    limits = binomtest(count, n).proportion_ci(level, method="wilson")
    return count / n - float(limits.low), float(limits.high) - count / n
