"""The first pass's rates in an order that no score chose."""

from dataclasses import dataclass
from typing import ClassVar

from kvsmooth.integers import whole
from kvsmooth.policies.first_pass import FirstPass, Schedule, rearranged
from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True)
class Permuted:
    """The first pass's rates, shuffled over each row's own steps, for each row and layer: the same multiset, no guidance.

    Every layer has an order of its own, so that whatever layers agreed on about a token is lost too, unless they are shuffled together.

    Parameters
    ----------
    first : what the first pass applied
    seed : of the order, together with row and layer
    together : one order for all layers of a row: they go on agreeing, on other tokens
    """

    first: FirstPass
    seed: int = 0
    together: bool = False
    name: ClassVar[str] = "permuted"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not whole(self.seed):
            raise ValueError(f"Permuted.seed must be an integer; got {self.seed!r}.")

    def start(self, setting: PolicySetting) -> Schedule:
        """The shuffled table."""
        return rearranged(self, setting, lambda draw, steps: draw.sample(range(steps), steps))
