"""A number added to the attention scores of the image: the plainest way to have a model look at it more."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.biased import ScoreBias
from kvsmooth.baselines.columns import Columns
from kvsmooth.baselines.method import Method, of_depth
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class ImageBias(Method):
    """Adds `strength` to the newest token's attention scores of every image token, before the softmax.

    At decode steps, in every layer: A_j <- A_j + strength for image columns j. exp(strength) is the factor of the odds of image against
    the rest. No paper's: the control of methods that raise attention to the image by rules of their own.

    Parameters
    ----------
    strength : logits; one number, or one for each query head; 0 changes nothing, below 0 the image is seen less
    layers : decoder layers, from 0; None is all of them
    """

    name: ClassVar[str] = "image_bias"
    cost: ClassVar[str] = "the newest attention row once more"
    sources: ClassVar[Mapping[str, str]] = {"strength": "untuned: a control of ours", "layers": "a control of ours: all"}

    strength: float | Iterable[float] = 1.0
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.strength, Iterable) and not isinstance(self.strength, str):
            object.__setattr__(self, "strength", tuple(self.strength))
        given = self.strength if isinstance(self.strength, tuple) else (self.strength,)
        if not given or not all(isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < float("inf") for one in given):
            raise ValueError(f"ImageBias.strength must be a number, or one for each query head; got {self.strength!r}.")
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is added."""
        return not any(self.strength) if isinstance(self.strength, tuple) else self.strength == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The bias of the image's columns."""
        layers = of_depth(self.layers, range(site.depth), site.depth, "ImageBias.layers")
        heads = site.decoder.config.num_attention_heads
        if isinstance(self.strength, tuple) and len(self.strength) != heads:
            raise Unsupported(f"ImageBias.strength must be one number or {heads}, one for each query head; got {len(self.strength)}.")
        return (ScoreBias(site, frozenset(layers), self._bias, neutral=self.neutral)(),)

    def _bias(self, layer: int, scores: Float[Tensor, "row head query key"], columns: Columns) -> Float[Tensor, "row head query key"]:
        strength = torch.as_tensor(self.strength, dtype=torch.float32, device=scores.device).view(1, -1, 1, 1)
        return strength * columns.image[:, None, None].expand(scores.shape)
