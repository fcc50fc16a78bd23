"""Likeness to the first token: sinks share one direction, that of the strongest of them."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.measures import TINY
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import without_padding
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class BosCosine(Detector):
    """Cosine between the token's hidden state at the layer's input and that of the first visible position, BOS where there is one.

    The first position itself scores 1. A few massive channels can decide the cosine by themselves.

    Source: after Sun et al. (arXiv 2402.17762), whose tokens with massive activations share nearly one hidden state; without a threshold.

    Parameters
    ----------
    threshold : the cosine above which a token is a sink, in [-1, 1]
    """

    threshold: float | None = None
    name: ClassVar[str] = "bos_cosine"
    needs: ClassVar[frozenset[str]] = frozenset({"hidden", "prompt"})
    known: ClassVar[str] = "before"
    unit: ClassVar[str] = "1"

    def __call__(self, seen: View) -> Float[Tensor, "layer row 1 token"]:
        """Cosine, from -1 to 1; 0 for padding."""
        hidden, first = seen.hidden.float(), seen.prompt.first[:, :, None]
        norms = torch.linalg.vector_norm(hidden, dim=-1) * torch.linalg.vector_norm(first, dim=-1)
        return without_padding(((hidden * first).sum(-1) / norms.clamp_min(TINY))[:, :, None], seen)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(BosCosine())
