"""Corrections over a family of tests; quantities that could not be tested (NaN) are not members of the family."""

import numpy as np
from jaxtyping import Float
from scipy.stats import false_discovery_control


def adjust(p: Float[np.ndarray, " test"], method: str = "holm") -> Float[np.ndarray, " test"]:
    """Adjusted p-values: "holm" holds the family-wise error, "bh" the false discovery rate (Benjamini & Hochberg 1995)."""
    if method not in _METHODS:
        raise ValueError(f"adjust.method must be one of {', '.join(_METHODS)}; got {method!r}.")
    adjusted, member = np.full(len(p), np.nan), np.isfinite(p)
    if member.any():
        adjusted[member] = _METHODS[method](p[member])
    return adjusted


def family_size(p: Float[np.ndarray, " test"]) -> int:
    """How many tests a correction ran over."""
    return int(np.isfinite(p).sum())


def _holm(p: np.ndarray) -> np.ndarray:
    """Holm (1979): the k-th smallest of m p-values times m - k + 1, made monotone.

    statsmodels has it too, and is the reference in the test; its `multipletests` runs the garbage collector on every call, which
    took more than half of the time of the whole analysis.
    """
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty(len(p))
    adjusted[order] = stepped
    return adjusted


_METHODS = {"holm": _holm, "bh": false_discovery_control}
