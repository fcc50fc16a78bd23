"""Which positions the tokens and keys of a view are, and what each received from those after it."""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from kvsmooth.sinks.view import View

HIDDEN = -3e4
"""A logit below it is that of a hidden key: masks add at least the lowest float16, and no attention logit comes near."""


def without_padding(scores: Shaped[Tensor, "layer row head token"], seen: View) -> Shaped[Tensor, "layer row head token"]:
    """Scores with 0 for padding, or flags with False; while decoding the newest token is never padding."""
    if seen.visible is None or seen.visible.shape[1] != scores.shape[-1]:
        return scores
    return scores.masked_fill(~seen.visible[:, None], 0)


def ordinals(seen: View) -> Int[Tensor, "row token"]:
    """How many visible positions stand before each token; sizes are those of `seen.probabilities`."""
    rows, tokens, keys = seen.probabilities.shape[1], *seen.probabilities.shape[-2:]
    if seen.visible is None:
        before = torch.arange(keys, device=seen.probabilities.device).expand(rows, -1)
    else:
        before = seen.visible.cumsum(-1) - 1
    # a static cache has room behind the newest token, where the count stays what it is there
    return before if tokens == keys else before[:, -1:]


def shown(logits: Float[Tensor, "layer row head token key"]) -> Bool[Tensor, "layer row head token key"]:
    """Keys that each query sees: neither padding nor later, nor past a sliding window."""
    return logits > HIDDEN


def received(seen: View, asker: str) -> tuple[Float[Tensor, "layer row head key"], Float[Tensor, "row key"]]:
    """Attention that each position received from itself and the visible positions after it, and the number of those.

    Padding received 0 from 0 positions.

    Raises
    ------
    ValueError : tokens are not keys, so that later queries are missing
    """
    if seen.probabilities is None or seen.probabilities.shape[-1] != seen.probabilities.shape[-2]:
        found = "no rows" if seen.probabilities is None else "{} row for {} keys".format(*seen.probabilities.shape[-2:])
        raise ValueError(f"{asker} must see the attention row of every position of a text, later ones included; got {found}.")
    keys = seen.probabilities.shape[-1]
    visible = seen.visible
    if visible is None:
        visible = torch.ones(seen.probabilities.shape[1], keys, dtype=torch.bool, device=seen.probabilities.device)
    later = torch.ones(keys, keys, dtype=torch.bool, device=visible.device).tril()
    pairs = later & visible[:, :, None] & visible[:, None]
    total = torch.einsum("lrhqk,rqk->lrhk", seen.probabilities, pairs.to(seen.probabilities.dtype))
    return total, pairs.sum(1).to(total.dtype)
