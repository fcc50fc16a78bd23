"""What logits of a text and of a branch beside it are made into, and which tokens stay plausible."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def contrasted(
    logits: Float[Tensor, "row token"], other: Float[Tensor, "row token"], alpha: float, beta: float
) -> Float[Tensor, "row token"]:
    """(1 + alpha) l - alpha l', and -inf where l < max l + ln beta.

    Source: Li et al., ACL 2023 (the plausibility constraint); Leng et al., CVPR 2024 (VCD), equations 3 and 4.
    """
    return plausible((1 + alpha) * logits - alpha * other, logits, beta)


def plausible(changed: Float[Tensor, "row token"], logits: Float[Tensor, "row token"], beta: float) -> Float[Tensor, "row token"]:
    """-inf for tokens whose probability in `logits` is below `beta` times that of the likeliest; beta 0 keeps all."""
    if beta == 0:
        return changed
    return changed.masked_fill(logits < logits.amax(1, keepdim=True) + math.log(beta), -torch.inf)
