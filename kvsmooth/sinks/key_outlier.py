"""Key outliers (KeyDiff): a token whose key points away from the others' mean is distinctive."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.measures import TINY
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import shown, without_padding
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class KeyOutlier(Detector):
    """1 - cos(k, mean key), the mean over visible positions up to the token itself, keys rotated as cached, by key/value head.

    Over the first visible position the mean is its own key, so it scores 0. Keys that were smoothed earlier enter the mean as smoothed.
    While decoding, a sliding window's mean is over the keys still cached; of a whole text `logits`, where they are there, tell the same.

    Source: KeyDiff (arXiv 2504.15364). A ranking, without a threshold.

    Parameters
    ----------
    directions : mean of the keys scaled to length one, as in public code of the method, instead of the mean of the keys
    """

    directions: bool = False
    name: ClassVar[str] = "key_outlier"
    needs: ClassVar[frozenset[str]] = frozenset({"keys", "key"})
    known: ClassVar[str] = "before"
    unit: ClassVar[str] = "1"

    def __call__(self, seen: View) -> Float[Tensor, "layer row kv token"]:
        """One minus the cosine, from 0 to 2; 0 for padding."""
        keys, key = seen.keys.float(), seen.key.float()
        if self.directions:
            keys = keys / torch.linalg.vector_norm(keys, dim=-1, keepdim=True).clamp_min(TINY)
        if seen.visible is not None:
            keys = keys.where(seen.visible[:, None, :, None], 0.0)
        # a sum points where the mean points
        if keys.shape[-2] != key.shape[-2]:
            total = keys.sum(-2, keepdim=True)
        elif seen.logits is None:
            total = keys.cumsum(-2)
        else:
            total = shown(seen.logits).any(2, keepdim=True).tril().float() @ keys
        norms = torch.linalg.vector_norm(key, dim=-1) * torch.linalg.vector_norm(total, dim=-1)
        return without_padding(1 - (key * total).sum(-1) / norms.clamp_min(TINY), seen)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(KeyOutlier())
