"""Whether effects of several studies, here subjects, differ by more than chance: Cochran's Q, and I2 of Higgins and Thompson."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import chi2


@dataclass(frozen=True)
class Heterogeneity:
    """Whether effects differ by more than chance.

    Attributes
    ----------
    q, p : Cochran's Q and its tail of the chi-squared distribution with one degree of freedom less than there are effects
    i2 : share of their variation that is not chance, max(0, 1 - df / Q)
    """

    q: float
    p: float
    i2: float


def heterogeneity(effects: Float[np.ndarray, " effect"], errors: Float[np.ndarray, " effect"]) -> Heterogeneity | None:
    """Of effects with these standard errors; None of fewer than two that have a finite one above 0.

    Cochran 1954; Higgins and Thompson 2002.
    """
    held = np.isfinite(errors) & (errors > 0)
    if held.sum() < 2:
        return None
    value, weight = effects[held], 1 / errors[held] ** 2
    q = float((weight * (value - (weight * value).sum() / weight.sum()) ** 2).sum())
    df = len(value) - 1
    return Heterogeneity(q, float(chi2.sf(q, df)), max(0.0, 1 - df / q) if q > 0 else 0.0)
