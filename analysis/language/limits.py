"""Which captions are broken, and what the rule is worth: the rule alone, which needs no model."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from analysis.metrics.text_quality import LOOP
from probes.sentences import repeated_ngrams

__all__ = ["LOOP", "QUANTILE", "broken", "calibration", "in_words", "limit"]

QUANTILE = 0.99
"""Of the NLL of captions without the method: what lies above it is improbable."""


def in_words(read: int, shuffled: float, of: str) -> str:
    """What the rule is, of how many captions, and what it finds of captions with their words shuffled.

    Parameters
    ----------
    read : captions of each arm
    shuffled : share that is called broken
    of : what an arm is called there
    """
    return (
        f"NLL: under a language model that saw no image, of the first {read} captions of each {of}. Broken: of these, those that loop or "
        f"whose NLL lies above that of {100 * QUANTILE:.0f} in 100 without smoothing; of captions with their words shuffled it finds "
        f"{100 * shuffled:.0f} %. "
    )


def limit(nll: Float[np.ndarray, " text"]) -> float:
    """The NLL above which a caption is improbable, of captions without the method."""
    return float(np.nanquantile(nll, QUANTILE))


def broken(texts: Sequence[str], nll: Float[np.ndarray, " text"], above: float) -> Bool[np.ndarray, " text"]:
    """Which captions are broken: they loop, or are improbable."""
    counts = [repeated_ngrams(text, 4) for text in texts]
    return np.array([again > LOOP * runs for runs, again in counts], dtype=bool) | (nll > above)


def calibration(
    texts: Sequence[str], nll: Float[np.ndarray, " text"], other: Sequence[str], nll_other: Float[np.ndarray, " text"]
) -> dict[str, float]:
    """The limits of the rule, and the share that it calls broken of captions without the method, as they stand and with words shuffled.

    Parameters
    ----------
    texts, nll : captions without the method; one of them at least has an NLL
    other, nll_other : the same with their words shuffled
    """
    above = limit(nll)
    return {
        "limit": above,
        "loop": LOOP,
        "broken_as_they_stand": float(broken(texts, nll, above).mean()),
        "broken_with_words_shuffled": float(broken(other, nll_other, above).mean()),
    }
