"""Value drain: a sink receives attention but has next to nothing to give, its value is short."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import received, without_padding
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class ValueDrain(Detector):
    """-||v||, minus the L2 norm of the token's value vector, by key/value head: the shorter the value, the more sink-like.

    The score needs nothing but the token's own value. `fires` is the full definition, which only a whole text can answer: attention
    received on average above `threshold`, and a norm below the median less `spreads` interquartile ranges over the visible positions.

    Source: Guo et al. (arXiv 2410.13835) for drained values; the conjunction with 0.1 and 2 interquartile ranges from work on video sinks.

    Parameters
    ----------
    threshold : mean received attention above which a drained position is a sink, in [0, 1]
    spreads : interquartile ranges below the median
    """

    threshold: float | None = 0.1
    spreads: float = 2.0
    name: ClassVar[str] = "value_drain"
    needs: ClassVar[frozenset[str]] = frozenset({"value"})
    known: ClassVar[str] = "before"
    unit: ClassVar[str] = "value norm"

    def __call__(self, seen: View) -> Float[Tensor, "layer row kv token"]:
        """Minus the norm, at most 0; 0 for padding."""
        return without_padding(-torch.linalg.vector_norm(seen.value.float(), dim=-1), seen)

    def fires(self, seen: View) -> Bool[Tensor, "layer row #head token"]:
        """Which positions of a whole text receive attention and have drained values, by query head; needs `probabilities` too.

        Raises
        ------
        ValueError : the threshold is None, or later queries are missing
        """
        if self.threshold is None:
            return super().fires(seen)
        total, queries = received(seen, "ValueDrain.fires")
        norms = torch.linalg.vector_norm(seen.value.float(), dim=-1)
        norms = norms.where((queries > 0)[:, None], torch.nan)
        quartiles = torch.nanquantile(norms, torch.tensor([0.25, 0.5, 0.75], device=norms.device), -1, keepdim=True)
        drained: Tensor = norms < quartiles[1] - self.spreads * (quartiles[2] - quartiles[0])
        if total.shape[2] > drained.shape[2]:  # grouped queries share one value
            drained = drained.repeat_interleave(total.shape[2] // drained.shape[2], 2)
        return drained & (total / queries.clamp_min(1)[:, None] > self.threshold)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(ValueDrain())
