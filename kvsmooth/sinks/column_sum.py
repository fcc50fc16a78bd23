"""Column sums of the attention map: what a token has received in all. Early tokens have had more time to receive."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import received
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class ColumnSum(Detector):
    """Attention that a position receives from itself and every visible position after it, added up.

    Each row sums to one, so the mean over visible positions is 1 in a causal map, and no sum can exceed the number of positions T: the
    default threshold cannot be reached in a text of fewer than 1000 tokens. Early positions have more rows to receive from: exactly
    uniform attention gives the first one 1 + 1/2 + ... + 1/T, about ln T + 0.58.

    Source: H2O (arXiv 2306.14048) for the score; the survey arXiv 2604.10098, eq. 5, for the threshold as a multiple of the mean.

    Parameters
    ----------
    threshold : a position is a sink where its sum exceeds this multiple of the mean over the row's visible positions, by layer and head
    """

    threshold: float | None = 1000.0
    name: ClassVar[str] = "column_sum"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities"})
    known: ClassVar[str] = "later"
    unit: ClassVar[str] = "1"

    def __call__(self, seen: View) -> Float[Tensor, "layer row head token"]:
        """Attention received in all, from 0 to the number of positions; 0 for padding."""
        return received(seen, "ColumnSum")[0]

    def fires(self, seen: View) -> Bool[Tensor, "layer row head token"]:
        """Which sums exceed `threshold` times the mean sum.

        Raises
        ------
        ValueError : the threshold is None
        """
        if self.threshold is None:
            return super().fires(seen)
        total, queries = received(seen, "ColumnSum")
        positions = torch.count_nonzero(queries, -1).clamp_min(1)
        return total > self.threshold * total.sum(-1, keepdim=True) / positions[:, None, None]


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(ColumnSum(threshold=4))
