"""The first pass's rates at other tokens, their order and autocorrelation kept."""

import random
from dataclasses import dataclass
from typing import ClassVar

from kvsmooth.policies.first_pass import FirstPass, Schedule, check_first
from kvsmooth.policies.policy import Setting


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

    def start(self, setting: Setting) -> Schedule:
        """The table turned round."""
        check_first(self, setting)
        table = self.first.rates.clone()
        for row, steps in enumerate(self.first.steps.tolist()):
            for layer in range(setting.band if steps > 1 else 0):
                key = "together" if self.together else layer
                offset = random.Random(f"shifted {self.seed} {row} {key}").randrange(1, steps)
                table[:steps, layer, row] = self.first.rates[:steps, layer, row].roll(offset)
        return Schedule("Shifted", table, self.first.steps, setting)
