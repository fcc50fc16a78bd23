"""The paper's score: the entropy of the token's own attention row. Diffuse rows (high entropy) are taken for sinks."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.measures import TINY, row_entropy
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.seen import Seen

KEYS = ("all", "without_bos", "image", "text")


@dataclass(frozen=True)
class RowEntropy(Detector):
    """Entropy of the newest token's attention row, in nat (a share of its maximum when normalised).

    Parameters
    ----------
    keys : "all" counts every visible key (the paper); "without_bos" leaves the first BOS position out; "image" keeps image positions
        only; "text" everything but them. A restricted row is divided by its own mass first, so it sums to one again.
    normalise : divide by ln(number of counted keys), which removes the growth of the maximum with the length of the context
    """

    keys: str = "all"
    normalise: bool = False
    name: ClassVar[str] = "row_entropy"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities"})
    known: ClassVar[str] = "step"
    unit: ClassVar[str] = "nat"

    def __post_init__(self):
        if self.keys not in KEYS:
            raise ValueError(f"RowEntropy.keys must be one of {KEYS}; got {self.keys!r}.")

    def __call__(self, seen: Seen) -> Float[Tensor, "layer row head token"]:
        """Entropy of each row, nat, or a fraction of ln(keys) when normalised."""
        probabilities = seen.probabilities
        if seen.counted is not None:
            probabilities = probabilities * seen.counted[:, None, None]
            probabilities = probabilities / probabilities.sum(-1, keepdim=True).clamp_min(TINY)
        entropy = row_entropy(probabilities)
        if not self.normalise:
            return entropy
        counted = seen.counted_keys()
        if counted is None:
            counted = torch.ones(probabilities.shape[1], probabilities.shape[-1], dtype=torch.bool, device=probabilities.device)
        # the last tokens are the last keys: a token counts the keys up to itself
        keys = counted.cumsum(-1)[:, -probabilities.shape[-2] :] if probabilities.shape[-2] > 1 else counted.sum(-1, keepdim=True)
        return entropy / keys.clamp_min(2).float().log()[:, None]


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(RowEntropy())
