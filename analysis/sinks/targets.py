"""What a sink is measured by afterwards: the attention that a generated token receives from the queries that follow it."""

import numpy as np
from jaxtyping import Bool, Float

WINDOWS = (1, 5, 10, 20, 40)
SHARE = 0.1
"""Of an image's tokens in a layer, how many count as positive in the relative label: those that receive most."""
EPS = 0.3
"""A token is a sink in the absolute label if some head gives it more than this on average (Gu et al., arXiv 2410.10781)."""


def received(
    attention: Float[np.ndarray, "*layer token token"], windows: tuple[int, ...] = WINDOWS
) -> Float[np.ndarray, "window *layer token"]:
    """Mean attention that each token gets from the next w queries, its own left out; NaN where fewer than w are left.

    Parameters
    ----------
    attention : probabilities of generated queries (rows) on generated keys (columns), both in order
    """
    tokens = attention.shape[-1]
    # running sum down each column, so that a window is a difference of two rows
    total = np.cumsum(attention, axis=-2, dtype=np.float64)
    found = np.full((len(windows), *attention.shape[:-2], tokens), np.nan)
    for number, width in enumerate(windows):
        key = np.arange(max(tokens - width, 0))
        found[number, ..., : len(key)] = (total[..., key + width, key] - total[..., key, key]) / width
    return found


def labels(values: Float[np.ndarray, "*layer token"], share: float = SHARE) -> Bool[np.ndarray, "*layer token"]:
    """The ceil(share x tokens) tokens of each layer that receive most; tokens without a value are never positive.

    Equal values are taken in their order, so that the prevalence is the same in every layer of an image.
    """
    known = ~np.isnan(values)
    most = np.ceil(share * known.sum(axis=-1, keepdims=True)).astype(int)
    order = np.argsort(np.where(known, -values, np.inf), axis=-1, kind="stable")
    place = np.argsort(order, axis=-1, kind="stable")
    return (place < most) & known
