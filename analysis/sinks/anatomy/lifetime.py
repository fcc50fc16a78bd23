"""In which layer a token becomes a sink, and for how many layers on end it stays one."""

from functools import cache
from math import comb

import numpy as np
from jaxtyping import Bool, Int


def births(sink: Bool[np.ndarray, "layer token"]) -> Int[np.ndarray, " token"]:
    """The first layer in which each token is a sink; -1 for tokens that never are."""
    return np.where(sink.any(0), sink.argmax(0), -1)


def lifetimes(sink: Bool[np.ndarray, "layer token"]) -> Int[np.ndarray, " token"]:
    """Layers on end from the birth on in which the token is a sink; 0 for tokens that never are."""
    born = births(sink)
    before = np.arange(len(sink))[:, None] < born
    return np.where(born >= 0, np.cumprod(sink | before, axis=0).sum(0) - born, 0)


@cache
def by_chance(layers: int, number: int) -> float:
    """Expected lifetime of a token that is a sink in `number` of the layers, if these were any of them.

    The first r of them lie on end in as many ways as r - 1 layers less hold r - 1 sinks less, for those r count as one.
    """
    return sum(comb(layers - r + 1, number - r + 1) for r in range(1, number + 1)) / comb(layers, number)
