"""The first pass's rates at other tokens, their order and autocorrelation kept."""

import random
from dataclasses import dataclass
from typing import ClassVar

from kvsmooth.integers import whole
from kvsmooth.policies.first_pass import FirstPass, Schedule, rearranged
from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True)
class Shifted:
    """The first pass's rates, turned round by an offset drawn from [1, steps), for each row and layer.

    The same multiset and, but for one seam, the same runs of high and low rates; only their place in the text is another. A row of one
    step stays as it is. Every layer has an offset of its own, so that whatever layers agreed on about a token is lost too, unless they
    are turned together.

    Parameters
    ----------
    first : what the first pass applied
    seed : of the offsets, together with row and layer
    together : one offset for all layers of a row: they go on agreeing, on other tokens
    """

    first: FirstPass
    seed: int = 0
    together: bool = False
    name: ClassVar[str] = "shifted"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not whole(self.seed):
            raise ValueError(f"Shifted.seed must be an integer; got {self.seed!r}.")

    def start(self, setting: PolicySetting) -> Schedule:
        """The table turned round."""
        return rearranged(self, setting, _turned)


def _turned(draw: random.Random, steps: int) -> list[int]:
    """Places 0 to steps - 1 from a drawn one on, never from the first, where there are two or more."""
    offset = draw.randrange(1, steps) if steps > 1 else 0
    return [(place - offset) % steps for place in range(steps)]
