"""The paper's rule: a rate is the rank of a score among the last scores of its layer and row."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.measures import percentile_rank
from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True)
class Percentile:
    """The score's percentile among the last `window` scores of its layer and row, clipped to the bounds. Source: arXiv 2602.04268."""

    name: ClassVar[str] = "percentile"
    two_pass: ClassVar[bool] = False
    needs_tokens: ClassVar[bool] = False

    def start(self, setting: PolicySetting) -> "PercentileQueue":
        """An empty queue a unit."""
        return PercentileQueue(setting)


class PercentileQueue:
    """One queue of the last scores a unit, as one tensor; NaN marks places that are still empty."""

    def __init__(self, setting: PolicySetting):
        self.queue = torch.full((setting.window, *setting.shape), float("nan"), device=setting.device)
        self.rank, self.warmup, self.bounds = setting.rank, setting.warmup, setting.bounds

    def percentiles(self, scores: Float[Tensor, "layer row *head"]) -> Float[Tensor, "layer row *head"]:
        """Percentile of the newest scores among the last `window`, themselves included."""
        # copied in place: a compiled graph needs the queue to stay where it is
        self.queue.copy_(torch.cat((self.queue[1:], scores.unsqueeze(0))))
        return percentile_rank(self.queue, scores, self.rank, self.warmup)

    def push(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None = None) -> Float[Tensor, "layer row *head"]:
        """The percentiles, clipped."""
        return self.percentiles(scores).clamp(*self.bounds)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Queues follow their beams."""
        self.queue.copy_(self.queue.index_select(2, rows.to(self.queue.device)))
