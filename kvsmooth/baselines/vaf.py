"""VAF: attention scores of the image multiplied by more than one, those of the text before it by less, in the middle layers."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.biased import ScoreBias
from kvsmooth.baselines.columns import Columns
from kvsmooth.baselines.method import Method, of_depth, scaled
from kvsmooth.baselines.site import Site


@dataclass(frozen=True)
class VAF(Method):
    """Multiplies attention scores of all queries behind the image: those of image tokens, and those of the text before them.

    Of prompt and answer, in `layers`, before the mask and the softmax: A_ij <- image A_ij for image columns, system A_ij for columns of
    other tokens before the image. Source: Yin et al., CVPR 2025, "ClearSight" (visual amplification fusion); the authors' code.
    Quirk, reproduced: a negative score times more than one falls, so that amplification turns into its opposite there.

    Parameters
    ----------
    image : factor of image columns, > 0; 1 leaves them
    system : factor of columns before the image, > 0; 1 leaves them
    signed : True multiplies scores, as the code; False adds (factor - 1) |A_ij|, which amplifies negative scores too
    layers : decoder layers, from 0; None is the same relative depth as 9 to 14 of 32
    """

    name: ClassVar[str] = "vaf"
    cost: ClassVar[str] = "the newest attention row once more"
    sources: ClassVar[Mapping[str, str]] = {
        "image": "code: LLaVA-1.5-7B; untuned for any other model",
        "system": "code: LLaVA-1.5-7B; untuned for any other model",
        "signed": "code: True",
        "layers": "code: 9 to 14 of LLaVA-1.5-7B's 32; scaled by depth elsewhere, untuned",
    }

    image: float = 1.15
    system: float = 0.95
    signed: bool = True
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        for option in ("image", "system"):
            self.check_number(option, least=0)
        self.check_flag("signed")
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether both factors are 1."""
        return self.image == 1 and self.system == 1

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The bias that is the same as the factors."""
        layers = of_depth(self.layers, scaled(9, 15, site.depth), site.depth, "VAF.layers")
        return (ScoreBias(site, frozenset(layers), self._bias, "behind", self.neutral)(),)

    def _bias(self, layer: int, scores: Float[Tensor, "row head query key"], columns: Columns) -> Float[Tensor, "row head query key"]:
        none = torch.zeros((), device=scores.device)
        more = torch.where(columns.image, self.image - 1, torch.where(columns.before, self.system - 1, none))
        return more[:, None, None] * (scores if self.signed else scores.abs())
