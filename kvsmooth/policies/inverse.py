"""The inverse of another policy: smooths the tokens that it would have left alone."""

from dataclasses import dataclass, field
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.policies.constant import Constant
from kvsmooth.policies.percentile import Percentile
from kvsmooth.policies.policy import Policy, PolicySetting, Rates


@dataclass(frozen=True)
class Inverse:
    """A policy that is given -score: the least sink-like tokens are smoothed most. If the guidance matters, this must do worse.

    Parameters
    ----------
    of : the policy turned round, one that ranks scores; `Inverse(Top(q, rate))` smooths the bottom q
    """

    of: Policy = field(default_factory=Percentile)
    name: ClassVar[str] = "inverse"
    two_pass: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if isinstance(self.of, type) or not callable(getattr(self.of, "start", None)):
            raise ValueError(f"Inverse.of must be a policy, such as Percentile(); got {self.of!r}.")
        if getattr(self.of, "two_pass", False) or isinstance(self.of, Constant):
            raise ValueError(f"Inverse.of must be a policy that ranks scores; got {type(self.of).__name__}, which asks for none.")

    @property
    def needs_tokens(self) -> bool:
        """Whether the policy turned round needs them."""
        return getattr(self.of, "needs_tokens", False)

    def start(self, setting: PolicySetting) -> "InverseRates":
        """The state of the policy turned round."""
        return InverseRates(self.of.start(setting))


class InverseRates:
    """The rates of -score."""

    def __init__(self, rates: Rates):
        self.rates = rates

    def push(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None = None) -> Float[Tensor, "layer row *head"]:
        """Rates of the negative scores."""
        return self.rates.push(-scores, tokens)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """As the policy turned round."""
        self.rates.reorder(rows)
