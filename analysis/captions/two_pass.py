"""KVSmooth with the rates of its own run on the same images, in an order that no score chose."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch

from kvsmooth import KVSmooth
from kvsmooth.policies import FirstPass, Permuted
from kvsmooth.run import Run


@dataclass(frozen=True)
class ShuffledRates:
    """A method of two passes: the first applies the rates that its scores give, the second applies the same ones shuffled.

    Parameters
    ----------
    first : the method of the first pass
    seed : of the order
    """

    first: KVSmooth
    seed: int = 0

    def describe(self) -> dict[str, Any]:
        """The options of the first pass, and what becomes of its rates."""
        return {**self.first.describe(), "rates": f"of the first pass, shuffled by seed {self.seed}"}

    def __call__(self, model: torch.nn.Module) -> AbstractContextManager[Run]:
        """The first pass."""
        return self.first(model)

    def second(self, run: Run) -> KVSmooth:
        """The second pass, of the same images in the same order."""
        return replace(self.first, policy=Permuted(FirstPass(run.rates, run.steps), self.seed))
