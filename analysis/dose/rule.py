"""The rule that chooses a dose, written before test scenes were looked at."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from analysis.captions.measures import MEASURES

RECALL_LOSS = 0.02
"""Recall may fall by that much, a share of the images' objects."""
LOOPING_RISE = 0.02
"""Looping captions may rise by that much, a share of captions."""
_AT = {name: i for i, name in enumerate(MEASURES)}


def eligible(levels: Float[np.ndarray, "dose measure"]) -> list[bool]:
    """Which doses keep recall and text within the rule; the first, no smoothing, does by definition.

    Parameters
    ----------
    levels : measures, in the order of `analysis.captions.measures.MEASURES`, at each dose; no smoothing first
    """
    recall, looping = levels[:, _AT["recall"]], levels[:, _AT["looping"]]
    kept = (recall >= recall[0] - RECALL_LOSS - 1e-12) & (looping <= looping[0] + LOOPING_RISE + 1e-12)
    return kept.tolist()


def chosen(doses: Sequence[float], levels: Float[np.ndarray, "dose measure"]) -> float:
    """The eligible dose of the lowest CHAIR_i, the smaller of two that are equal; 0 where none is below no smoothing."""
    kept, chair_i = eligible(levels), levels[:, _AT["chair_i"]]
    best = min((i for i in range(len(doses)) if kept[i]), key=lambda i: (chair_i[i], doses[i]))
    return float(doses[best])
