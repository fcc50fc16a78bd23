"""What methods have in common that contrast a text with a branch beside it: strength, plausibility, and what neither can serve."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.branch import refuse_chunks
from kvsmooth.baselines.contrast import contrasted
from kvsmooth.baselines.method import Method


class Contrasting(Method):
    """A method with `alpha`, the weight of the contrast, and `beta`, the plausibility, in [0, 1]; both are fields of the method."""

    alpha: float
    beta: float

    def check_contrast(self) -> None:
        """Refuse a weight below 0, or a plausibility outside of [0, 1]."""
        self.check_number("alpha", least=0)
        self.check_number("beta", least=0, most=1)

    @property
    def neutral(self) -> bool:
        """Whether neither a contrast nor a constraint is left."""
        return self.alpha == 0 and self.beta == 0

    def refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
        """Refuse prompts in chunks."""
        refuse_chunks(self.name, module, given)

    def against(self, logits: Float[Tensor, "row token"], other: Float[Tensor, "row token"]) -> Float[Tensor, "row token"]:
        """The text's logits, contrasted with the branch's."""
        return contrasted(logits, other, self.alpha, self.beta)
