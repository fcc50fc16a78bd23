"""The rule that chooses a dose; the scenes that confirm it were drawn for no other question."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from analysis.captions.measures import MEASURES

RECALL_LOSS = 0.02
"""Recall may fall by that much, a share of the images' objects."""
LOOPING_RISE = 0.02
"""Looping captions may rise by that much, a share of captions."""
BROKEN_RISE = 0.02
"""And broken ones, those that loop or that a language model finds improbable (`analysis.language.paired`)."""
_AT = {name: i for i, name in enumerate(MEASURES)}


def share_of(broken: Float[np.ndarray, "dose scene"]) -> Float[np.ndarray, " dose"]:
    """The share of broken captions at each dose, of those that were read; NaN where none was."""
    read = np.isfinite(broken)
    return np.where(read.any(1), np.nansum(broken, 1) / np.maximum(read.sum(1), 1), np.nan)


def eligible(levels: Float[np.ndarray, "dose measure"], broken: Float[np.ndarray, " dose"] | None = None) -> list[bool]:
    """Which doses keep recall and text within the rule; the first, no smoothing, does by definition.

    Parameters
    ----------
    levels : measures, in the order of `analysis.captions.measures.MEASURES`, at each dose; no smoothing first
    broken : share of broken captions at each dose; NaN, or no array at all, where the captions were not read
    """
    recall, looping = levels[:, _AT["recall"]], levels[:, _AT["looping"]]
    kept = (recall >= recall[0] - RECALL_LOSS - 1e-12) & (looping <= looping[0] + LOOPING_RISE + 1e-12)
    if broken is not None:
        kept &= ~(broken > broken[0] + BROKEN_RISE + 1e-12)
    return kept.tolist()


def chosen(doses: Sequence[float], levels: Float[np.ndarray, "dose measure"], broken: Float[np.ndarray, " dose"] | None = None) -> float:
    """The eligible dose of the lowest CHAIR_i, the smaller of two that are equal; 0 where none is below no smoothing."""
    kept, chair_i = eligible(levels, broken), levels[:, _AT["chair_i"]]
    best = min((i for i in range(len(doses)) if kept[i]), key=lambda i: (chair_i[i], doses[i]))
    return float(doses[best])
