"""MiddleLayer: attention scores of the image raised by the heads' mean size of them, in the middle layers."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.biased import ScoreBias
from kvsmooth.baselines.columns import Columns
from kvsmooth.baselines.method import Method, of_depth, scaled
from kvsmooth.baselines.site import Site


@dataclass(frozen=True)
class MiddleLayer(Method):
    """Raises the newest token's attention scores of the image, the same in all heads, by a share of the heads' mean absolute score.

    Of the prompt's last token and at every decode step, in `layers`, before the softmax: A_hj <- A_hj + alpha mean_h |A_hj| for image
    columns j. Source: Jiang et al., CVPR 2025, "Devils in middle layers" (heads-guided attention); the authors' code.

    Parameters
    ----------
    alpha : share of the mean that is added, >= 0; 0 changes nothing
    layers : decoder layers, from 0; None is the same relative depth as 5 to 18 of 32
    """

    name: ClassVar[str] = "middle_layer"
    cost: ClassVar[str] = "the newest attention row once more"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code: LLaVA-1.5-7B; untuned for any other model",
        "layers": "code: 5 to 18 of LLaVA-1.5-7B's 32; scaled by depth elsewhere, untuned",
    }

    alpha: float = 0.5
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        self.check_number("alpha", least=0)
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is added."""
        return self.alpha == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The bias of the image's columns."""
        layers = of_depth(self.layers, scaled(5, 19, site.depth), site.depth, "MiddleLayer.layers")
        return (ScoreBias(site, frozenset(layers), self._bias, "last", self.neutral)(),)

    def _bias(self, layer: int, scores: Float[Tensor, "row head query key"], columns: Columns) -> Float[Tensor, "row head query key"]:
        mean = scores.abs().mean(1, keepdim=True).expand(scores.shape)
        return self.alpha * mean.masked_fill(~columns.image[:, None, None], 0.0)
