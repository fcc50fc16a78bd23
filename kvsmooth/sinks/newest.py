"""What a detector sees of the newest token: its attention rows in the layers of the band."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.measures import visible_keys


@dataclass(frozen=True)
class NewestRow:
    """Attention rows of the newest token, several layers at once.

    Parameters
    ----------
    probabilities : float32, each row sums to one; one head where the rows were averaged before scoring
    mask : the mask that attention received, None where every key is visible
    counted : keys that the detector counts (its `keys` option), hidden ones included; None where it counts all
    """

    probabilities: Float[Tensor, "layer row head key"]
    mask: Tensor | None = None
    counted: Bool[Tensor, "row key"] | None = None

    def keys(self) -> Bool[Tensor, "row key"] | None:
        """Keys that are both visible and counted; None where all are."""
        visible = visible_keys(self.mask, self.probabilities.shape[-1])
        if visible is None or self.counted is None:
            return self.counted if visible is None else visible
        return visible & self.counted
