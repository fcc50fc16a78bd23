"""Plain attention for training on a CPU, with dropout that costs next to nothing.

Drawing one random number for every attention weight takes a fifth of a training step on one core. Here the masks are windows, at
random offsets, of a pool of a few million draws that is replaced every few steps: each weight is still dropped with the chance asked
for.
"""

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

NAME = "eager_pooled_dropout"
POOL = 1 << 22
RENEWAL = 48


class DropoutPool:
    """Masks of zeros and 1 / (1 - p), cut at random offsets from a pool of draws that is replaced now and then."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all draws, so that what follows depends on torch's generator alone."""
        self.chance, self.draws, self.calls = -1.0, torch.empty(0), 0

    def __call__(self, weights: Tensor, chance: float) -> Tensor:
        """The weights with a share of them set to zero and the rest scaled up."""
        size, self.calls = weights.numel(), self.calls + 1
        if chance != self.chance or 2 * size > len(self.draws) or self.calls % RENEWAL == 0:
            # a new tensor, not new values: backward passes still hold windows of the old one
            self.chance = chance
            self.draws = torch.empty(max(POOL, 2 * size)).bernoulli_(1 - chance).div_(1 - chance)
        start = int(torch.randint(len(self.draws) - size, ()))
        return weights * self.draws[start : start + size].view_as(weights)


DROPOUT = DropoutPool()


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_,
) -> tuple[Tensor, None]:
    """Softmax attention as the eager one of transformers computes it; as many key heads as query heads."""
    scores = (query * (scaling or query.shape[-1] ** -0.5)) @ key.transpose(-1, -2)
    weights = (scores if attention_mask is None else scores + attention_mask).softmax(-1)
    if dropout > 0 and module.training:
        weights = DROPOUT(weights, dropout)
    return (weights @ value).transpose(1, 2).contiguous(), None


def register() -> str:
    """Makes the attention known to transformers and returns its name."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    return NAME
