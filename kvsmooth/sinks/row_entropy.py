"""The paper's score: the entropy of the token's own attention row. Diffuse rows (high entropy) are taken for sinks."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.measures import TINY, row_entropy
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import shown
from kvsmooth.sinks.view import View

KEYS = ("all", "without_bos", "image", "text")


@dataclass(frozen=True)
class RowEntropy(Detector):
    """Entropy of the newest token's attention row, in nat (a share of its maximum when normalised).

    Parameters
    ----------
    keys : "all" counts every visible key (the paper); "without_bos" leaves the first BOS position out; "image" keeps image positions
        only; "text" everything but them. A restricted row is divided by its own mass first, so it sums to one again.
    normalise : divide by ln(number of counted keys), which removes the growth of the maximum with the length of the context; without
        `logits` a whole text's rows are taken to see all keys up to themselves
    """

    keys: str = "all"
    normalise: bool = False
    name: ClassVar[str] = "row_entropy"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities"})
    known: ClassVar[str] = "step"
    unit: ClassVar[str] = "nat"

    def __post_init__(self) -> None:
        if self.keys not in KEYS:
            raise ValueError(f"RowEntropy.keys must be one of {KEYS}; got {self.keys!r}.")

    def __call__(self, seen: View) -> Float[Tensor, "layer row head token"]:
        """Entropy of each row, nat, or a fraction of ln(keys) when normalised."""
        probabilities = seen.probabilities
        if seen.counted is not None:
            probabilities = probabilities * seen.counted[:, None, None]
            probabilities = probabilities / probabilities.sum(-1, keepdim=True).clamp_min(TINY)
        entropy = row_entropy(probabilities)
        if not self.normalise:
            return entropy
        return entropy / self._keys(seen).clamp_min(2).float().log()

    def _keys(self, seen: View) -> Int[Tensor, "#layer row #head token"]:
        """How many keys each row counts."""
        if seen.logits is not None:  # the rows themselves tell, past a sliding window and with keys that the mask shows early
            sees = shown(seen.logits)
            return (sees if seen.counted is None else sees & seen.counted[:, None, None]).sum(-1)
        rows, tokens, keys = seen.probabilities.shape[1], *seen.probabilities.shape[-2:]
        counted = seen.counted_keys()
        if counted is None:
            counted = torch.ones(rows, keys, dtype=torch.bool, device=seen.probabilities.device)
        up_to = counted.cumsum(-1)
        return (up_to if tokens == keys else up_to[:, -1:])[None, :, None]


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(RowEntropy())
