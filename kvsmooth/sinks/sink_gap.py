"""Sink-logit gap: by how much a token's query prefers the first key to the others, before softmax."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import shown
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class SinkGap(Detector):
    """Logit to the first key that the query sees, minus the mean logit to the other keys it sees, by query head.

    It tells how strongly the token leans on the sink, not whether others lean on it.

    Source: Guo et al. (arXiv 2410.13835), active and dormant heads. Without a threshold.

    Parameters
    ----------
    threshold : the gap above which a head is called dormant at the token, nat
    """

    threshold: float | None = None
    name: ClassVar[str] = "sink_gap"
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    known: ClassVar[str] = "step"
    unit: ClassVar[str] = "nat"

    def __call__(self, seen: View) -> Float[Tensor, "layer row head token"]:
        """Difference of logits; 0 where the query sees one key or none."""
        sees = shown(seen.logits)
        logits = seen.logits.masked_fill(~sees, 0.0)
        first = logits.gather(-1, sees.int().argmax(-1, keepdim=True)).squeeze(-1)
        others = sees.sum(-1) - 1
        gap = first - (logits.sum(-1) - first) / others.clamp_min(1)
        return gap.masked_fill(others < 1, 0.0)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(SinkGap())
