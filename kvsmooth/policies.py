"""How scores become rates. A policy holds options; `start` gives the state of one decoding run."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.measures import percentile_rank


@runtime_checkable
class Rates(Protocol):
    """The state of a policy during one decoding run."""

    def push(self, scores: Float[Tensor, "*unit"]) -> Float[Tensor, "*unit"]:
        """Take the newest scores of all units (layer, row and perhaps head); give their rates in [0, 1]."""

    def reorder(self, rows: Int[Tensor, "row"]) -> None:
        """Let row i continue what row rows[i] had (beam search)."""


@runtime_checkable
class Policy(Protocol):
    """Options of a rule that turns scores into rates."""

    def start(
        self, shape: tuple[int, ...], device: torch.device, *, window: int, rank: str, warmup: str, bounds: tuple[float, float]
    ) -> Rates:
        """State for `shape` = (layer, row) or (layer, row, head) units."""


@dataclass(frozen=True)
class Percentile:
    """The paper's rule: the rate is the score's percentile among the last `window` scores of its layer, clipped to the bounds."""

    name: ClassVar[str] = "percentile"

    def start(self, shape, device, *, window, rank, warmup, bounds):
        """An empty queue a unit."""
        return PercentileQueue(shape, device, window, rank, warmup, bounds)


class PercentileQueue:
    """One queue of the last scores a unit, as one tensor; NaN marks places that are still empty."""

    def __init__(self, shape: tuple[int, ...], device: torch.device, window: int, rank: str, warmup: str, bounds: tuple[float, float]):
        self.queue = torch.full((window, *shape), float("nan"), device=device)
        self.rank, self.warmup, self.bounds = rank, warmup, bounds

    def push(self, scores: Float[Tensor, "*unit"]) -> Float[Tensor, "*unit"]:
        """Percentile of the newest scores among the last `window`, themselves included, clipped."""
        # copied in place: a compiled graph needs the queue to stay where it is
        self.queue.copy_(torch.cat((self.queue[1:], scores.unsqueeze(0))))
        return percentile_rank(self.queue, scores, self.rank, self.warmup).clamp(*self.bounds)

    def reorder(self, rows: Int[Tensor, "row"]) -> None:
        """Queues follow their beams."""
        self.queue.copy_(self.queue.index_select(2, rows.to(self.queue.device)))


@dataclass(frozen=True)
class Constant:
    """The same rate for every token: the control that separates smoothing from its guidance. Bounds, window and rank play no part.

    Parameters
    ----------
    rate : in [0, 1]
    """

    rate: float
    name: ClassVar[str] = "constant"

    def __post_init__(self):
        if not 0 <= self.rate <= 1:
            raise ValueError(f"Constant.rate must lie in [0, 1]; got {self.rate}.")

    def start(self, shape, device, *, window, rank, warmup, bounds):
        """Nothing to remember."""
        return ConstantRates(self.rate)


class ConstantRates:
    """A rate that no score changes."""

    def __init__(self, rate: float):
        self.rate = rate

    def push(self, scores: Float[Tensor, "*unit"]) -> Float[Tensor, "*unit"]:
        """The constant, in the shape of the scores."""
        return torch.full_like(scores, self.rate)

    def reorder(self, rows: Int[Tensor, "row"]) -> None:
        """Rates do not depend on the row: order is irrelevant."""
