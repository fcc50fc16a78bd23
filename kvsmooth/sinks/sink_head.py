"""Sink heads: heads that spend a token's attention on the first keys have nothing to do there."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.integers import whole
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import shown
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class SinkHead(Detector):
    """Attention mass that the token's row puts on the first keys it sees, by query head.

    It tells how strongly the token leans on the sink, not whether others lean on it. Where the query sees no key beyond the first ones
    it has no choice, and scores 0. Logits are needed only to tell which keys it sees.

    Source: lazy layers of SimLayerKV (arXiv 2410.13846), whose thresholds are set by model; none here by default.

    Parameters
    ----------
    n_sink : how many keys, >= 1
    threshold : mass above which a head is a sink head at the token, in [0, 1]
    """

    n_sink: int = 1
    threshold: float | None = None
    name: ClassVar[str] = "sink_head"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities", "logits"})
    known: ClassVar[str] = "step"
    unit: ClassVar[str] = "1"

    def __post_init__(self) -> None:
        if not whole(self.n_sink) or self.n_sink < 1:
            raise ValueError(f"SinkHead.n_sink must be a positive integer; got {self.n_sink!r}.")

    def __call__(self, seen: View) -> Float[Tensor, "layer row head token"]:
        """Mass, in [0, 1]; 0 for padding."""
        order = shown(seen.logits).cumsum(-1)
        mass = (seen.probabilities * ((order >= 1) & (order <= self.n_sink))).sum(-1)
        return mass.masked_fill(order[..., -1] <= self.n_sink, 0.0)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(SinkHead())
