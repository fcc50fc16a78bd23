"""Observation 2 of KVSmooth: does the entropy of a token's own row predict the attention it receives, and beyond chance?

The paper reports an uncentred cosine between the row entropies of a caption and its column sums. Vectors of positive numbers have a high
cosine whatever they are: row entropies and column sums of exactly uniform attention have one above 0.85. So each caption's cosine stands
beside correlations, beside its value under uniform attention of the same lengths, and beside the same numbers after the entropies were
put in random order, or turned round the caption, which keeps their autocorrelation.

Where the first token of a text is a sink, most of a row's entropy is how much goes there. So all of it is asked twice: of whole rows, and
of rows without that key, the rest summing to one again. What a token receives is that of the whole map in both.
"""

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

RELATIONS = ("cosine", "pearson", "spearman", "kendall")
RECEIVED = ("column_sum", "mean_received")
VARIANTS = ("observed", "permuted", "shifted", "uniform")
FEWEST = 10
"""Captions with fewer tokens say nothing about a relation; their values are NaN."""


def columns(attention: Float[np.ndarray, "*head token token"]) -> Float[np.ndarray, "received *head token"]:
    """Column sum and mean received attention of generated keys over generated queries, their own included (`RECEIVED`)."""
    tokens = attention.shape[-1]
    total = np.tril(attention).sum(axis=-2)
    return np.stack([total, total / np.arange(tokens, 0, -1)])


def uniform(prompt: int, tokens: int, left_out: int = 0) -> tuple[Float[np.ndarray, " token"], Float[np.ndarray, "received token"]]:
    """Row entropies (nat) and received attention of `tokens` generated tokens after `prompt` keys when every row is uniform.

    Entropies are those of rows without their first `left_out` keys, which are keys of the prompt.
    """
    keys = prompt + np.arange(tokens) + 1.0
    return np.log(keys - left_out), columns(np.tril(np.ones((tokens, tokens))) / keys[:, None])


def relate(one: Float[np.ndarray, "*head token"], other: Float[np.ndarray, "*head token"]) -> Float[np.ndarray, " relation *head"]:
    """The four `RELATIONS` of two quantities over tokens; NaN where a correlation has no variation to work with."""
    ranks = rankdata(one, axis=-1), rankdata(other, axis=-1)
    return np.stack([_cosine(one, other), _pearson(one, other), _pearson(*ranks), kendall(one, other)])


def observe(
    entropy: Float[np.ndarray, "*head token"],
    received: Float[np.ndarray, "received *head token"],
    prompt: int,
    draw: np.random.Generator,
    left_out: int = 0,
) -> Float[np.ndarray, "variant relation received *head"]:
    """Relations of entropy with each kind of received attention: observed, one random order, one random turn, uniform attention.

    The order and the turn are the same for all heads: a caption is what is exchanged.

    Parameters
    ----------
    prompt : keys before the first generated token
    draw : source of the order and of the turn, a turn of at least one token
    left_out : keys at the beginning of the text that `entropy` knows nothing of
    """
    tokens = entropy.shape[-1]
    if tokens < FEWEST:
        return np.full((len(VARIANTS), len(RELATIONS), len(RECEIVED), *entropy.shape[:-1]), np.nan)
    order, turn = draw.permutation(tokens), int(draw.integers(1, max(tokens, 2)))
    flat_entropy, flat_received = uniform(prompt, tokens, left_out)
    shape = entropy.shape[:-1]
    made = []
    for row, kind in zip(received, flat_received, strict=True):
        plain = relate(flat_entropy[None], kind[None]).reshape(-1, *[1] * len(shape))
        variants = [relate(entropy, row), relate(entropy[..., order], row), relate(np.roll(entropy, turn, axis=-1), row)]
        made.append(np.stack([*variants, np.broadcast_to(plain, (len(RELATIONS), *shape))]))
    return np.stack(made, axis=2)


def kendall(one: Float[np.ndarray, "*head token"], other: Float[np.ndarray, "*head token"]) -> Float[np.ndarray, "*head"]:
    """Kendall's tau-b from the signs of all pairs; ties of either quantity shrink the denominator."""
    # every pair twice, as contiguous differences: faster than picking each once
    first, second = (np.sign(values[..., :, None] - values[..., None, :]) for values in (one, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        untied = np.sqrt(np.count_nonzero(first, axis=(-2, -1)) * np.count_nonzero(second, axis=(-2, -1)))
        return np.einsum("...ij,...ij->...", first, second) / untied


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return (one * other).sum(axis=-1) / np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))


def _pearson(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return _cosine(one - one.mean(axis=-1, keepdims=True), other - other.mean(axis=-1, keepdims=True))
