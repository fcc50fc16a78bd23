"""IAT: attention scores of what the model has written raised by a share of their size."""

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
class IAT(Method):
    """Raises the newest token's attention scores of the generated text, its own included, by a share of their absolute value.

    At decode steps, in `layers`, before the softmax: A_j <- A_j + alpha |A_j| for columns j behind the prompt. Source: Zhong et al.,
    CVPR 2026, "AdaIAT" (increase attention to generated text); the authors' code.

    Parameters
    ----------
    alpha : share of |A_j| that is added, >= 0; 0 changes nothing
    layers : decoder layers, from 0; None is the same relative depth as 5 to 17 of 32
    """

    name: ClassVar[str] = "iat"
    cost: ClassVar[str] = "the newest attention row once more"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code: its script for LLaVA-1.5-7B; untuned for any other model",
        "layers": "code: 5 to 17 of LLaVA-1.5-7B's 32; scaled by depth elsewhere, untuned",
    }

    alpha: float = 0.8
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        self.check_number("alpha", least=0)
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is added."""
        return self.alpha == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The bias of the generated text's columns."""
        layers = of_depth(self.layers, scaled(5, 18, site.depth), site.depth, "IAT.layers")
        return (ScoreBias(site, frozenset(layers), self._bias, neutral=self.neutral, about="written")(),)

    def _bias(self, layer: int, scores: Float[Tensor, "row head query key"], columns: Columns) -> Float[Tensor, "row head query key"]:
        return self.alpha * scores.abs().masked_fill(~columns.written[:, None, None], 0.0)
