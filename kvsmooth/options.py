"""The options of the method: what each may be, and what follows from them for a decoder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

import torch

from kvsmooth.description import described
from kvsmooth.errors import Unsupported
from kvsmooth.integers import whole
from kvsmooth.mixes import MIXES
from kvsmooth.policies import Percentile, Policy
from kvsmooth.sinks import RowEntropy
from kvsmooth.sinks.needs import check_score

CHOICES = {
    "previous": ("smoothed", "raw"),
    "rope": ("after", "before"),
    "timing": ("after", "recompute"),
    "heads": ("mean", "mean_row", "per_head"),
    "rank": ("strict", "inclusive", "mid"),
    "warmup": ("window", "length"),
    "mix": tuple(MIXES),
}


@dataclass(frozen=True)
class Options:
    """What `KVSmooth` is made of, as the parts of a block read it; `KVSmooth` says what each option means."""

    lambda_ref: float = 0.7
    margin: float = 0.2
    window: int = 15
    layers: Iterable[int] | None = None
    keys: bool = True
    values: bool = True
    output: bool = False
    previous: str = "smoothed"
    rope: str = "after"
    timing: str = "after"
    heads: str = "mean"
    rank: str = "strict"
    warmup: str = "window"
    exact: bool = True
    score: Callable[..., Any] = field(default_factory=RowEntropy)
    policy: Policy = field(default_factory=Percentile)
    mix: str = "ema"
    mix_seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.lambda_ref, torch.nn.Module):
            raise ValueError(
                f"KVSmooth takes options first and the model behind them: KVSmooth()(model); got {type(self.lambda_ref).__name__}."
            )
        if not (_number(self.lambda_ref) and 0 <= self.lambda_ref <= 1):
            raise ValueError(f"KVSmooth.lambda_ref must lie in [0, 1]; got {self.lambda_ref!r}.")
        if not (_number(self.margin) and self.margin >= 0):
            raise ValueError(f"KVSmooth.margin must be at least 0; got {self.margin!r}.")
        if not whole(self.window) or self.window < 1:
            raise ValueError(f"KVSmooth.window must be a positive integer; got {self.window!r}.")
        if not whole(self.mix_seed):
            raise ValueError(f"KVSmooth.mix_seed must be an integer; got {self.mix_seed!r}.")
        if self.layers is not None:
            layers = tuple(self.layers) if isinstance(self.layers, Iterable) else (self.layers,)
            if not layers or not all(map(whole, layers)) or len(set(layers)) < len(layers) or min(layers) < 0:
                raise ValueError(f"KVSmooth.layers must be None or distinct layer numbers from 0; got {self.layers!r}.")
            object.__setattr__(self, "layers", tuple(sorted(layers)))
        for name in ("keys", "values", "output", "exact"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"KVSmooth.{name} must be True or False; got {getattr(self, name)!r}.")
        if not (self.keys or self.values or self.output):
            raise ValueError("KVSmooth.keys, values or output must be True; got False for all three, which smooths nothing.")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"KVSmooth.{name} must be one of {allowed}; got {getattr(self, name)!r}.")
        if isinstance(self.score, type) or not callable(self.score):
            raise ValueError(f"KVSmooth.score must be a detector, such as RowEntropy(), or a function of View; got {self.score!r}.")
        check_score(self.score, self.heads)
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "start", None)):
            raise ValueError(f"KVSmooth.policy must be a policy, such as Percentile(); got {self.policy!r}.")

    @property
    def bounds(self) -> tuple[float, float]:
        """Floor and ceiling of the rate."""
        # rounded, so that 0.7 - 0.2 is 0.5 and a rate at the floor compares equal to it
        return max(0.0, round(self.lambda_ref - self.margin, 12)), min(1.0, round(self.lambda_ref + self.margin, 12))

    def band(self, n_layers: int) -> tuple[int, ...]:
        """The layers smoothed in a decoder of `n_layers`."""
        band = tuple(range(3, n_layers - 1)) if self.layers is None else tuple(self.layers)
        if not band:
            raise Unsupported(
                f"KVSmooth.layers=None is range(3, {n_layers - 1}), empty for a decoder of {n_layers} layers; pass layers=range(...)."
            )
        if band[-1] >= n_layers:
            raise Unsupported(f"KVSmooth.layers must lie below {n_layers}, the layers of this decoder; got {band[-1]}.")
        return band

    def describe(self) -> dict[str, Any]:
        """The options as JSON-able data, for provenance."""
        return {"method": "KVSmooth", **{each.name: described(getattr(self, each.name)) for each in fields(self)}}


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
