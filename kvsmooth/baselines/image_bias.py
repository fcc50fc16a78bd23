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
    strength : logits; one number, one for each query head, or these for each of `layers` from below; 0 changes nothing, below 0 the image
        is seen less
    layers : decoder layers, from 0; None is all of them
    """

    name: ClassVar[str] = "image_bias"
    cost: ClassVar[str] = "the newest attention row once more"
    sources: ClassVar[Mapping[str, str]] = {"strength": "untuned: a control of ours", "layers": "a control of ours: all"}

    strength: float | Iterable[float] | Iterable[Iterable[float]] = 1.0
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", _tuples(self.strength))
        blocks = self.strength if isinstance(self.strength, tuple) else (self.strength,)
        by_layer = any(isinstance(one, tuple) for one in blocks)
        if not blocks or not all(isinstance(one, tuple) and one and all(map(_number, one)) if by_layer else _number(one) for one in blocks):
            raise ValueError(
                f"ImageBias.strength must be a number, one for each query head, or these for each layer; got {self.strength!r}."
            )
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is added."""
        return not any(_numbers(self.strength))

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The bias of the image's columns."""
        layers = of_depth(self.layers, range(site.depth), site.depth, "ImageBias.layers")
        heads, given = site.decoder.config.num_attention_heads, self.strength
        by_layer = given if isinstance(given, tuple) and isinstance(given[0], tuple) else (given,) * len(layers)
        if len(by_layer) != len(layers):
            raise Unsupported(f"ImageBias.strength must be for each of {len(layers)} layers; got {len(by_layer)}.")
        if wrong := [one for one in by_layer if isinstance(one, tuple) and len(one) != heads]:
            raise Unsupported(f"ImageBias.strength must be one number or {heads}, one for each query head; got {len(wrong[0])}.")
        strengths = dict(zip(layers, by_layer, strict=True))

        def bias(layer: int, scores: Float[Tensor, "row head query key"], columns: Columns) -> Float[Tensor, "row head query key"]:
            strength = torch.as_tensor(strengths[layer], dtype=torch.float32, device=scores.device).view(1, -1, 1, 1)
            return strength * columns.image[:, None, None].expand(scores.shape)

        return (ScoreBias(site, frozenset(layers), bias, neutral=self.neutral)(),)


def _tuples(given: Any) -> Any:
    return tuple(map(_tuples, given)) if isinstance(given, Iterable) and not isinstance(given, str) else given


def _numbers(given: Any) -> tuple[Any, ...]:
    return tuple(one for part in given for one in _numbers(part)) if isinstance(given, tuple) else (given,)


def _number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < float("inf")
