"""The first pass's rates in an order that no score chose."""

import random
from dataclasses import dataclass
from typing import ClassVar

import torch

from kvsmooth.policies.first_pass import FirstPass, Schedule, check_first
from kvsmooth.policies.policy import Setting


@dataclass(frozen=True)
class Permuted:
    """The first pass's rates, shuffled over each row's own steps, for each row and layer: the same multiset, no guidance.

    Every layer has an order of its own: whatever layers agreed on about a token is lost too.

    Parameters
    ----------
    first : what the first pass applied
    seed : of the order, together with row and layer
    """

    first: FirstPass
    seed: int = 0
    name: ClassVar[str] = "permuted"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False

    def start(self, setting: Setting) -> Schedule:
        """The shuffled table."""
        check_first(self, setting)
        table = self.first.rates.clone()
        for row, steps in enumerate(self.first.steps.tolist()):
            for layer in range(setting.band):
                order = random.Random(f"permuted {self.seed} {row} {layer}").sample(range(steps), steps)
                table[:steps, layer, row] = self.first.rates[torch.tensor(order, dtype=torch.long), layer, row]
        return Schedule("Permuted", table, self.first.steps, setting)
