"""Sinks in the middle of a text: attention received, with the first token left out because it always wins."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import ordinals, received
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class MidSequence(Detector):
    """Mean received attention of every position but the first visible one, which scores 0, the least there is.

    Source: ACT (Yu et al., ICML 2024, arXiv 2406.15765), which searches sinks by head beyond the first token. Its threshold is an
    environment variable without a published value, so there is none here by default.

    Parameters
    ----------
    threshold : mean attention above which a position is a sink, in [0, 1]
    """

    threshold: float | None = None
    name: ClassVar[str] = "mid_sequence"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities"})
    known: ClassVar[str] = "later"
    unit: ClassVar[str] = "1"

    def __call__(self, seen: View) -> Float[Tensor, "layer row head token"]:
        """Mean attention received, in [0, 1]; 0 for padding and for the first visible position."""
        total, queries = received(seen, "MidSequence")
        mean = total / queries.clamp_min(1)[:, None]
        return mean.masked_fill((ordinals(seen) == 0)[:, None], 0.0)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(MidSequence())
