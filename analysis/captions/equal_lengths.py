"""Two captions of an image on equal terms: each cut to the mentions, and to the words, that both have."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Said:
    """What captions of some images come to.

    Attributes
    ----------
    mentions, words : how many each has
    absent : by mention, 1 if the object is not there, 0 if it is, -1 past the last mention
    word : by mention, which word of the caption it is, from 0; -1 past the last mention
    """

    mentions: Float[np.ndarray, " image"]
    words: Float[np.ndarray, " image"]
    absent: Int[np.ndarray, "image mention"]
    word: Int[np.ndarray, "image mention"]


@dataclass(frozen=True)
class Cut:
    """One of two captions, cut.

    Attributes
    ----------
    absent : absent objects among its first m mentions, m those that both captions have
    within : 1 if an absent object is named within its first w words, w those that both captions have
    """

    absent: Float[np.ndarray, " image"]
    within: Float[np.ndarray, " image"]


def equal_lengths(one: Said, other: Said) -> tuple[Float[np.ndarray, " image"], Cut, Cut]:
    """The mentions that both captions of an image have, and what is left of each."""
    mentions, words = np.minimum(one.mentions, other.mentions), np.minimum(one.words, other.words)

    def cut(said: Said) -> Cut:
        wrong, place = said.absent == 1, np.arange(said.absent.shape[1])
        absent = (wrong & (place < mentions[:, None])).sum(1)
        within = (wrong & (said.word < words[:, None])).any(1)
        return Cut(absent.astype(float), within.astype(float))

    return mentions, cut(one), cut(other)
