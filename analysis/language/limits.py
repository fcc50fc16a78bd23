"""Which captions are broken: the rule alone, which needs no model."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from analysis.metrics.text_quality import LOOP
from probes.sentences import repeated_ngrams

__all__ = ["LOOP", "QUANTILE", "broken", "limit"]

QUANTILE = 0.99
"""Of the NLL of captions without the method: what lies above it is improbable."""


def limit(nll: Float[np.ndarray, " text"]) -> float:
    """The NLL above which a caption is improbable, of captions without the method."""
    return float(np.nanquantile(nll, QUANTILE))


def broken(texts: Sequence[str], nll: Float[np.ndarray, " text"], above: float) -> Bool[np.ndarray, " text"]:
    """Which captions are broken: they loop, or are improbable."""
    counts = [repeated_ngrams(text, 4) for text in texts]
    return np.array([again > LOOP * runs for runs, again in counts], dtype=bool) | (nll > above)
