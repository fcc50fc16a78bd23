"""How far two detectors agree on the tokens of one text: rank correlation, and overlap of what each would call the strongest tenth."""

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

SHARE = 0.1
"""Prevalence at which overlaps are compared: every detector marks this share of the tokens, whatever its own threshold."""


def spearman(scores: Float[np.ndarray, "*layer detector token"]) -> Float[np.ndarray, "*layer detector detector"]:
    """Spearman's rank correlation of every pair of detectors over tokens, ties at mean ranks; NaN for a constant detector."""
    ranks = rankdata(scores, axis=-1)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = ranks / length
    return unit @ np.swapaxes(unit, -1, -2)


def membership(scores: Float[np.ndarray, "*layer detector token"], share: float = SHARE) -> Float[np.ndarray, "*layer detector token"]:
    """How far each token belongs to the top ceil(share x tokens), in [0, 1]; NaN for a constant detector.

    Tokens that tie at the cut share the places that are left, so that a score of two values is not decided by the tokens' order.
    """
    tokens = scores.shape[-1]
    top = int(np.ceil(share * tokens))
    cut = np.sort(scores, axis=-1)[..., tokens - top, None]
    above, tied = scores > cut, scores == cut
    places = (top - above.sum(axis=-1, keepdims=True)) / tied.sum(axis=-1, keepdims=True)
    constant = scores.max(axis=-1, keepdims=True) == scores.min(axis=-1, keepdims=True)
    return np.where(constant, np.nan, above + tied * places)


def jaccard(members: Float[np.ndarray, "*layer detector token"]) -> Float[np.ndarray, "*layer detector detector"]:
    """Sum of minima over sum of maxima of two memberships: |A and B| / |A or B| where they are 0 and 1."""
    one, other = members[..., :, None, :], members[..., None, :, :]
    return np.minimum(one, other).sum(axis=-1) / np.maximum(one, other).sum(axis=-1)


def chance(share: float = SHARE) -> float:
    """Jaccard of two unrelated choices of this share, in the limit of many tokens: share / (2 - share)."""
    return share / (2 - share)


def mean_over_layers(values: Float[np.ndarray, " layer *rest"]) -> Float[np.ndarray, "*rest"]:
    """Mean over the layers that have a value; NaN where none has."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
