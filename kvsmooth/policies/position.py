"""Rates that know how far the text has come, and nothing else."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.policies.first_pass import FirstPass, check_first
from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True)
class Position:
    """The first pass's mean rate at each step, over the rows that were still decoding then, for each layer.

    If it does as well as the scores, the scores only told the time. Rows of the first pass need not be the rows decoded, and beams may
    use it. Steps that no row of the first pass reached take the mean of the last one that was reached.

    Parameters
    ----------
    first : what the first pass applied
    """

    first: FirstPass
    name: ClassVar[str] = "position"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.first.steps.any():
            raise ValueError("Position.first must hold a row of one step or more; got none.")

    def table(self) -> Float[Tensor, "step layer"]:
        """Mean rate of each step and layer."""
        reached = int(self.first.steps.max())
        return (self.first.rates.sum(2) / self.first.own.sum(1).clamp_min(1)[:, None])[:reached]

    def start(self, setting: PolicySetting) -> "PositionRates":
        """The first step."""
        check_first(self, setting, rows=False)
        return PositionRates(self.table(), setting)


class PositionRates:
    """The rate of the present step."""

    def __init__(self, table: Float[Tensor, "step band"], setting: PolicySetting):
        self.table = table[:, list(setting.places)].to(setting.device, torch.float32)
        self.step = torch.zeros(1, dtype=torch.long, device=setting.device)

    def push(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None = None) -> Float[Tensor, "layer row *head"]:
        """The step's rate by layer, for all rows alike."""
        rates = self.table.index_select(0, self.step.clamp_max(len(self.table) - 1))[0]
        self.step.add_(1)
        return rates.view(-1, *[1] * (scores.dim() - 1)).expand_as(scores)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """All rows have the same rate: order is irrelevant."""
