"""One rate for every token."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True)
class Constant:
    """The same rate for every token: the control that separates smoothing from its guidance. Bounds, window and rank play no part.

    Parameters
    ----------
    rate : in [0, 1]
    """

    rate: float
    name: ClassVar[str] = "constant"
    two_pass: ClassVar[bool] = False
    needs_tokens: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"Constant.rate must lie in [0, 1]; got {self.rate}.")

    def start(self, setting: PolicySetting) -> "ConstantRates":
        """Nothing to remember."""
        return ConstantRates(self.rate)


class ConstantRates:
    """A rate that no score changes."""

    def __init__(self, rate: float):
        self.rate = rate

    def push(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None = None) -> Float[Tensor, "layer row *head"]:
        """The constant, in the shape of the scores."""
        return torch.full_like(scores, self.rate)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Rates do not depend on the row: order is irrelevant."""
