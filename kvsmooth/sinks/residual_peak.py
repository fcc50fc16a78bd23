"""Residual-state peaks: a sink's hidden state is many times as long as others."""

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
class ResidualPeak(Detector):
    """L2 norm of the token's hidden state at the layer's input, over the median norm of the prompt's states at that layer.

    Source: Guo et al. (arXiv 2410.13835), residual-state peaks of sink tokens; they give no threshold.

    Parameters
    ----------
    threshold : the ratio above which a token is a sink
    """

    threshold: float | None = None
    name: ClassVar[str] = "residual_peak"
    needs: ClassVar[frozenset[str]] = frozenset({"hidden", "prompt"})
    known: ClassVar[str] = "before"
    unit: ClassVar[str] = "1"

    def __call__(self, seen: View) -> Float[Tensor, "layer row 1 token"]:
        """Multiples of the prompt's median norm; 0 for padding."""
        norm = torch.linalg.vector_norm(seen.hidden.float(), dim=-1)
        return without_padding((norm / seen.prompt.norm.clamp_min(TINY)[..., None])[:, :, None], seen)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(ResidualPeak())
