"""Massive activations: a sink carries a hidden state with one coordinate thousands of times the usual size."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.measures import TINY
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import without_padding
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class MassiveActivation(Detector):
    """Largest |x| over the channels of the token's hidden state at the layer's input, over the prompt's median |x| at that layer.

    Both thresholds presuppose the scale of models of 7 billion parameters; narrow models do not reach them.

    Source: Sun et al. (arXiv 2402.17762): above 100 and about a thousand times the median.

    Parameters
    ----------
    threshold : the ratio above which a token is a sink
    least : the largest |x| itself must exceed it too, in the units of the hidden state
    """

    threshold: float | None = 1000.0
    least: float = 100.0
    name: ClassVar[str] = "massive_activation"
    needs: ClassVar[frozenset[str]] = frozenset({"hidden", "prompt"})
    known: ClassVar[str] = "before"
    unit: ClassVar[str] = "1"

    def __call__(self, seen: View) -> Float[Tensor, "layer row 1 token"]:
        """Multiples of the prompt's median magnitude; 0 for padding."""
        largest = seen.hidden.float().abs().amax(-1)
        return without_padding((largest / seen.prompt.magnitude.clamp_min(TINY)[..., None])[:, :, None], seen)

    def fires(self, seen: View) -> Bool[Tensor, "layer row 1 token"]:
        """Which ratios exceed `threshold` where the largest |x| exceeds `least`.

        Raises
        ------
        ValueError : the threshold is None
        """
        return super().fires(seen) & (seen.hidden.float().abs().amax(-1) > self.least)[:, :, None]


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(MassiveActivation())
