"""Only the most sink-like tokens are smoothed, all of them alike."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.policies.percentile import PercentileQueue
from kvsmooth.policies.policy import PolicySetting

ROUNDING = 1e-6


@dataclass(frozen=True)
class Top:
    """One rate for tokens whose percentile in the queue is at least 1 - q, none for the others. The bounds play no part.

    Inclusive percentiles begin at 1 / window instead of 0, and must lie above 1 - q for the same share.

    With warmup="window" percentiles are small until the queue is full, so that first tokens are left alone.

    Parameters
    ----------
    q : share of tokens smoothed, in (0, 1], if scores were drawn independently, in multiples of 1 / window: rounded down with strict
        ranks, which end at (window - 1) / window, so that q must be 1 / window or more there; up with inclusive ones
    rate : in [0, 1]
    """

    q: float
    rate: float
    name: ClassVar[str] = "top"
    two_pass: ClassVar[bool] = False
    needs_tokens: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.q <= 1:
            raise ValueError(f"Top.q must lie in (0, 1]; got {self.q}.")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"Top.rate must lie in [0, 1]; got {self.rate}.")

    def start(self, setting: PolicySetting) -> "TopRates":
        """An empty queue a unit.

        Raises
        ------
        ValueError : no percentile of the method's window and rank reaches 1 - q
        """
        highest = {"strict": setting.window - 1, "mid": setting.window - 0.5, "inclusive": setting.window}[setting.rank] / setting.window
        if highest < 1 - self.q - ROUNDING:
            raise ValueError(
                f"Top.q must be at least {1 - highest:.4g} where percentiles end at {highest:.4g} (window={setting.window}, "
                f'rank={setting.rank!r}); got {self.q}: take a longer window or rank="inclusive".'
            )
        return TopRates(self.q, self.rate, PercentileQueue(setting))


class TopRates:
    """The rate of tokens at the top of their queue."""

    def __init__(self, q: float, rate: float, queue: PercentileQueue):
        self.least = 1 - q + (ROUNDING if queue.rank == "inclusive" else -ROUNDING)
        self.rate, self.queue = rate, queue

    def push(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None = None) -> Float[Tensor, "layer row *head"]:
        """The rate or 0."""
        return (self.queue.percentiles(scores) >= self.least).to(scores.dtype) * self.rate

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Queues follow their beams."""
        self.queue.reorder(rows)
