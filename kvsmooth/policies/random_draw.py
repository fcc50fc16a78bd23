"""Rates drawn from the first pass's distribution."""

import random
from dataclasses import dataclass
from typing import ClassVar

import torch

from kvsmooth.integers import whole
from kvsmooth.policies.first_pass import FirstPass, Schedule, check_first
from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True)
class Random:
    """Each rate drawn with replacement from the first pass's rates of the same row and layer: the distribution, no guidance.

    Every layer draws by itself: whatever layers agreed on about a token is lost too.

    Parameters
    ----------
    first : what the first pass applied
    seed : of the draws, together with row and layer
    """

    first: FirstPass
    seed: int = 0
    name: ClassVar[str] = "random"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not whole(self.seed):
            raise ValueError(f"Random.seed must be an integer; got {self.seed!r}.")

    def start(self, setting: PolicySetting) -> Schedule:
        """A table of draws, as many as the longest row of the first pass had steps."""
        check_first(self, setting)
        longest = len(self.first.rates)
        table = self.first.rates.clone()
        for row, steps in enumerate(self.first.steps.tolist()):
            for layer in range(setting.band if steps else 0):
                drawn = random.Random(f"random {self.seed} {row} {layer}").choices(range(steps), k=longest)
                table[:, layer, row] = self.first.rates[torch.tensor(drawn), layer, row]
        return Schedule("Random", table, torch.full_like(self.first.steps, longest), setting)
