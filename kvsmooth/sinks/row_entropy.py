"""The paper's score: the entropy of the token's own attention row. Diffuse rows (high entropy) are taken for sinks."""

import math
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.measures import TINY, row_entropy
from kvsmooth.sinks.newest import NewestRow

KEYS = ("all", "without_bos", "image", "text")


@dataclass(frozen=True)
class RowEntropy:
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

    def __post_init__(self):
        if self.keys not in KEYS:
            raise ValueError(f"RowEntropy.keys must be one of {KEYS}; got {self.keys!r}.")

    def __call__(self, newest: NewestRow) -> Float[Tensor, "layer row head"]:
        """Entropy of each row, nat, or a fraction of ln(keys) when normalised."""
        probabilities, counted = newest.probabilities, newest.counted
        if counted is not None:
            probabilities = probabilities * counted.unsqueeze(-2)
            probabilities = probabilities / probabilities.sum(-1, keepdim=True).clamp_min(TINY)
        entropy = row_entropy(probabilities)
        if not self.normalise:
            return entropy
        keys = newest.keys()
        if keys is None:
            return entropy / math.log(max(2, probabilities.shape[-1]))
        return entropy / keys.sum(-1).clamp_min(2).float().log().unsqueeze(-1)
