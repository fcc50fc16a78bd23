"""The constant that spends exactly as much smoothing as the first pass did."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from kvsmooth.policies.first_pass import FirstPass, Schedule, check_first
from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True)
class Mean:
    """A constant at the first pass's mean rate, for each row and layer: the same amount of smoothing, no guidance at all.

    Parameters
    ----------
    first : what the first pass applied
    """

    first: FirstPass
    name: ClassVar[str] = "mean"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False

    def start(self, setting: PolicySetting) -> Schedule:
        """A schedule of one step."""
        check_first(self, setting)
        return Schedule("Mean", self.first.means()[None], torch.ones_like(self.first.steps), setting)
