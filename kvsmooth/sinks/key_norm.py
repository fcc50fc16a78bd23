"""Key norms: keys of tokens that receive much attention tend to be short."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import without_padding
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class KeyNorm(Detector):
    """-||k||, minus the L2 norm of the token's key, by key/value head: the shorter the key, the more sink-like. Rotation keeps it.

    Source: Devoto et al. (arXiv 2406.11430), who keep the keys of lowest norm; Gu et al. (arXiv 2410.10781) on the short keys of sinks.
    A ranking, without a threshold.
    """

    name: ClassVar[str] = "key_norm"
    needs: ClassVar[frozenset[str]] = frozenset({"key"})
    known: ClassVar[str] = "before"
    unit: ClassVar[str] = "key norm"

    def __call__(self, seen: View) -> Float[Tensor, "layer row kv token"]:
        """Minus the norm, at most 0; 0 for padding."""
        return without_padding(-torch.linalg.vector_norm(seen.key.float(), dim=-1), seen)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(KeyNorm())
