"""What every policy is: options, and a state of one decoding run that turns scores into rates."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

CPU = torch.device("cpu")


@dataclass(frozen=True)
class PolicySetting:
    """Where a policy begins: the units it serves, and the options of the method that concern it.

    Parameters
    ----------
    shape : (layer, row) or (layer, row, head) units
    device : where scores come from
    window, rank, warmup, bounds : options of `KVSmooth`
    places : positions of these layers in the band; () where they are the whole band. Unlike layers of a model start apart
    band : layers in the whole band; 0 where `shape` holds them all
    """

    shape: tuple[int, ...]
    device: torch.device = CPU
    window: int = 15
    rank: str = "strict"
    warmup: str = "window"
    bounds: tuple[float, float] = (0.0, 1.0)
    places: tuple[int, ...] = ()
    band: int = 0

    def __post_init__(self) -> None:
        if not self.places:
            object.__setattr__(self, "places", tuple(range(self.shape[0])))
        if not self.band:
            object.__setattr__(self, "band", self.shape[0])
        if len(self.places) != self.shape[0] or not all(0 <= place < self.band for place in self.places):
            raise ValueError(
                f"PolicySetting.places must be {self.shape[0]} positions in a band of {self.band} layers, one a layer; got {self.places}."
            )


@runtime_checkable
class Rates(Protocol):
    """The state of a policy during one decoding run."""

    def push(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None) -> Float[Tensor, "layer row *head"]:
        """Take the newest scores of all units and the ids of the newest tokens; give the units' rates in [0, 1]."""

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Let row i continue what row rows[i] had (beam search)."""


@runtime_checkable
class Policy(Protocol):
    """Options of a rule that turns scores into rates; a frozen dataclass.

    Attributes
    ----------
    name : the policy's name in `POLICIES`
    two_pass : it needs the rates of an earlier run as data, its field `first`
    """

    name: ClassVar[str]
    two_pass: ClassVar[bool]

    @property
    def needs_tokens(self) -> bool:
        """Whether `push` needs the ids of the newest tokens."""

    def start(self, setting: PolicySetting) -> Rates:
        """The state of a run."""
