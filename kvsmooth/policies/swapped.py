"""The rates of another text."""

from dataclasses import dataclass
from typing import ClassVar

from kvsmooth.errors import Unsupported
from kvsmooth.policies.first_pass import FirstPass, Schedule, check_first
from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True)
class Swapped:
    """Row r takes the rates of row r + 1 of the first pass, the last row those of the first: real rates, of another text.

    Parameters
    ----------
    first : what the first pass applied, to two rows or more
    """

    first: FirstPass
    name: ClassVar[str] = "swapped"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False

    def start(self, setting: PolicySetting) -> Schedule:
        """The table with its rows moved by one.

        Raises
        ------
        Unsupported : a batch of one row has no other row to take rates from
        """
        check_first(self, setting)
        if setting.shape[1] < 2:
            raise Unsupported("Swapped.first must hold two rows or more, to take rates from another; got 1: decode a larger batch.")
        return Schedule("Swapped", self.first.rates.roll(-1, 2), self.first.steps.roll(-1), setting)
