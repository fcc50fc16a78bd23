"""The rates applied in a first run, as data; and schedules of rates fixed from them before the second run."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.errors import Unsupported
from kvsmooth.policies.policy import PolicySetting

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def digest(tensor: Tensor) -> str:
    """Twelve hexadecimal digits that tell tensors apart by shape, kind and content."""
    content = hashlib.sha256(f"{tuple(tensor.shape)} {tensor.dtype} ".encode())
    content.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class FirstPass:
    """The rates that a first run applied, and how long each of its rows was. Two are equal when their content is.

    Parameters
    ----------
    rates : `run.rates` of the first run, in [0, 1]; layers are those of the band, in its order
    steps : decode steps of each row before its end; what `rates` holds after them, where a row was fed padding, is left out
    """

    rates: Float[Tensor, "step layer row"]
    steps: Int[Tensor, " row"]

    def __post_init__(self) -> None:
        for part in ("rates", "steps"):
            if not isinstance(getattr(self, part), Tensor):
                raise ValueError(f"FirstPass.{part} must be a tensor; got {type(getattr(self, part)).__name__}.")
        if self.steps.dtype not in INTEGERS:
            raise ValueError(f"FirstPass.steps must be integers; got {self.steps.dtype}.")
        if self.rates.dim() != 3 or 0 in self.rates.shape:
            raise ValueError(f'FirstPass.rates must be "step layer row", none of them 0; got shape {tuple(self.rates.shape)}.')
        if self.steps.shape != self.rates.shape[2:]:
            raise ValueError(f"FirstPass.steps must hold a number for each of {self.rates.shape[2]} rows; got {tuple(self.steps.shape)}.")
        if not ((self.steps >= 0) & (self.steps <= len(self.rates))).all():
            raise ValueError(f"FirstPass.steps must lie in [0, {len(self.rates)}], the steps of rates; got {self.steps.tolist()}.")
        # `run.rates` are on the CPU, and lengths often come from a device
        object.__setattr__(self, "steps", self.steps.cpu())
        object.__setattr__(self, "rates", self.rates.cpu())
        own = self.rates.detach().float().masked_fill(~self.own[:, None], 0.0)
        if not ((own >= 0) & (own <= 1)).all():
            raise ValueError("FirstPass.rates must lie in [0, 1] at each row's own steps; got others.")
        object.__setattr__(self, "rates", own)

    @property
    def own(self) -> Bool[Tensor, "step row"]:
        """Which steps are a row's own."""
        return torch.arange(len(self.rates), device=self.steps.device)[:, None] < self.steps

    @classmethod
    def joined(cls, passes: list["FirstPass"]) -> "FirstPass":
        """Several batches of a first run as one of more rows.

        Raises
        ------
        ValueError : there is none, or their layers differ
        """
        if len(layers := {one.rates.shape[1] for one in passes}) != 1:
            raise ValueError(f"FirstPass.joined must be given first passes of the same layers; got {sorted(layers) or 'none'}.")
        longest = max(len(one.rates) for one in passes)
        rates = [torch.nn.functional.pad(one.rates, (0, 0, 0, 0, 0, longest - len(one.rates))) for one in passes]
        return cls(torch.cat(rates, 2), torch.cat([one.steps for one in passes]))

    def means(self) -> Float[Tensor, "layer row"]:
        """Mean rate over each row's own steps; 0 for a row of none."""
        return self.rates.sum(0) / self.steps.clamp_min(1)

    def describe(self) -> dict[str, Any]:
        """Shape, mean and digest, JSON-able."""
        mean = float(self.rates.sum() / (self.own.sum() * self.rates.shape[1]).clamp_min(1))
        return {"shape": list(self.rates.shape), "mean": mean, "digest": digest(self.rates) + digest(self.steps)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FirstPass) or self.rates.shape != other.rates.shape:
            return False
        return torch.equal(self.rates, other.rates) and torch.equal(self.steps, other.steps)

    def __hash__(self) -> int:
        return hash((digest(self.rates), digest(self.steps)))


def check_first(policy: Any, setting: PolicySetting, rows: bool = True) -> None:
    """Refuse a first pass of another band, and of other rows where rates belong to rows.

    Raises
    ------
    Unsupported
    """
    _, layers, held = policy.first.rates.shape
    name = type(policy).__name__
    if layers != setting.band:
        raise Unsupported(f"{name}.first must hold the rates of the {setting.band} layers of the band; got {layers}: use the same layers.")
    if rows and held != setting.shape[1]:
        raise Unsupported(
            f"{name}.first must hold the rates of the {setting.shape[1]} rows decoded; got {held}: use the first pass of the same batch."
        )


def rearranged(policy: Any, setting: PolicySetting, order: Callable[[random.Random, int], list[int]]) -> "Schedule":
    """The first pass's rates in another order over each row's own steps, drawn anew for each row and layer, or for all layers together.

    Parameters
    ----------
    policy : with the fields `first`, `seed` and `together`
    order : of a generator and a number of steps, all places below that number in their new order

    Raises
    ------
    Unsupported : the first pass is of another band or of other rows
    """
    check_first(policy, setting)
    table = policy.first.rates.clone()
    for row, steps in enumerate(policy.first.steps.tolist()):
        for layer in range(setting.band):
            draw = random.Random(f"{policy.name} {policy.seed} {row} {'together' if policy.together else layer}")
            table[:steps, layer, row] = policy.first.rates[torch.tensor(order(draw, steps), dtype=torch.long), layer, row]
    return Schedule(type(policy).__name__, table, policy.first.steps, setting)


class Schedule:
    """Rates laid down beforehand. Where a row outlives its length, its rates begin again: the order goes on cyclically."""

    def __init__(self, name: str, table: Float[Tensor, "step band row"], lengths: Int[Tensor, " row"], setting: PolicySetting):
        self.name_of_policy = name
        self.table = table[:, list(setting.places)].to(setting.device, torch.float32).contiguous()
        self.lengths = lengths.to(setting.device).clamp_min(1)
        self.step = torch.zeros(1, dtype=torch.long, device=setting.device)

    def push(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None = None) -> Float[Tensor, "layer row *head"]:
        """The rates of the present step, whatever the scores."""
        at = (self.step % self.lengths).expand(1, self.table.shape[1], -1)
        rates = self.table.gather(0, at)[0]
        self.step.add_(1)
        return rates if scores.dim() == 2 else rates.unsqueeze(-1).expand_as(scores)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Rates laid down for a row have no meaning for a beam."""
        raise Unsupported(f"{self.name_of_policy} rates belong to the rows of a first pass and cannot follow beams; leave num_beams out.")
