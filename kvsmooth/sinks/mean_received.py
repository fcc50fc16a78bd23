"""Mean received attention: a sink is a token that later tokens attend to, on average. The field's usual ground truth."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import received
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class MeanReceived(Detector):
    """Attention that a position receives from itself and every visible position after it, divided by their number.

    The last positions have few queries behind them and scatter widely; the very last has its attention to itself alone.

    Source: Gu et al. (arXiv 2410.10781), with epsilon = 0.3; their Sink_k is the mean of `fires` over layers and heads.

    Parameters
    ----------
    threshold : mean attention above which a position is a sink, in [0, 1]
    """

    threshold: float | None = 0.3
    name: ClassVar[str] = "mean_received"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities"})
    known: ClassVar[str] = "later"
    unit: ClassVar[str] = "1"

    def __call__(self, seen: View) -> Float[Tensor, "layer row head token"]:
        """Mean attention received, in [0, 1]; 0 for padding."""
        total, queries = received(seen, "MeanReceived")
        return total / queries.clamp_min(1)[:, None]


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(MeanReceived())
