"""What decodes the same tokens at different cost: plain `generate`, twice and in place, the method, recording, and eager maps."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache, StoppingCriteria, StoppingCriteriaList

from analysis.efficiency.others import other
from analysis.efficiency.shapes import smoothed_layers
from kvsmooth import KVSmooth
from kvsmooth.decoding.growing import growing
from probes.regimes import record_inputs

CLOCKS: dict[str, Callable[[], float]] = {"processor": time.process_time, "wall": time.perf_counter}
PARTS = ("whole", "decode")


@dataclass
class StepClock(StoppingCriteria):
    """Reads both clocks after every forward, and never stops; it costs every arm the same."""

    stamps: list[dict[str, float]] = field(default_factory=list)

    def __call__(self, input_ids, scores, **kwargs):
        self.stamps.append(read())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


@dataclass(frozen=True)
class Case:
    """A model, its prompt and how many tokens it writes.

    Parameters
    ----------
    cache : of the prompt but for its last token, which was read before; None where every run reads the whole prompt
    """

    model: Any
    inputs: Mapping[str, Any]
    new_tokens: int
    cache: DynamicCache | None = None

    def generate(self, clock: StepClock, **extra: Any) -> None:
        """Greedy, as everybody does it."""
        criteria = StoppingCriteriaList([clock])
        if self.cache is not None:
            extra["past_key_values"] = copy.deepcopy(self.cache)
        self.model.generate(**self.inputs, max_new_tokens=self.new_tokens, do_sample=False, stopping_criteria=criteria, **extra)

    def method(self, **options: Any) -> KVSmooth:
        """The method on its default band, or on all layers of a short stack."""
        return KVSmooth(**options, layers=smoothed_layers(self.model))

    def record(self, clock: StepClock, method: KVSmooth | None) -> None:
        """The default recorders."""
        criteria = StoppingCriteriaList([clock])
        record_inputs(self.model, self.inputs, method, max_new_tokens=self.new_tokens, stopping_criteria=criteria)


def plain(case: Case, clock: StepClock) -> None:
    """`generate`."""
    case.generate(clock)


def in_place(case: Case, clock: StepClock) -> None:
    """`generate` on a cache that grows in place, as those of methods and recordings do."""
    with growing(case.model, {}):
        case.generate(clock)


def smoothed(case: Case, clock: StepClock, **options: Any) -> None:
    """`generate` in the block of the method."""
    with case.method(**options)(case.model):
        case.generate(clock)


def with_maps(case: Case, clock: StepClock) -> None:
    """Eager attention that keeps every map and hidden state."""
    case.model.set_attn_implementation("eager")
    try:
        case.generate(clock, output_attentions=True, output_hidden_states=True, return_dict_in_generate=True)
    finally:
        case.model.set_attn_implementation("sdpa")


ARMS: dict[str, Callable[[Case, StepClock], None]] = {
    "plain": plain,
    "plain_again": plain,
    "plain_in_place": in_place,
    "kvsmooth": smoothed,
    "kvsmooth_fast": lambda case, clock: smoothed(case, clock, exact=False),
    "recording": lambda case, clock: case.record(clock, None),
    "recording_kvsmooth": lambda case, clock: case.record(clock, case.method()),
    "eager_maps": with_maps,
}
CONTROL = "plain"
"""What every arm is a ratio to."""


def arm(name: str) -> Callable[[Case, StepClock], None]:
    """What an arm does: one of `ARMS`, or `generate` in the block of a method of others at its source's setting.

    Raises
    ------
    BadInput : no arm and no method of this name
    """
    return ARMS[name] if name in ARMS else other(name)


@torch.no_grad()
def read_before(model: nn.Module, inputs: Mapping[str, Any]) -> DynamicCache:
    """The cache of a prompt of text but for its last token."""
    return model(input_ids=inputs["input_ids"][:, :-1], use_cache=True).past_key_values


def recorded(name: str) -> bool:
    """Whether an arm leaves nnsight's controllers on the model, so that plain arms must not share it."""
    return name.startswith("recording")


def read() -> dict[str, float]:
    """Both clocks."""
    return {name: clock() for name, clock in CLOCKS.items()}


def timed(name: str, case: Case) -> dict[str, dict[str, float]]:
    """Seconds by part and clock: of the whole call, and of its decoding steps alone (second forward to last)."""
    clock = StepClock()
    begun = read()
    with torch.no_grad():
        arm(name)(case, clock)
    ended, (first, *_, last) = read(), clock.stamps
    return {
        "whole": {name: ended[name] - begun[name] for name in CLOCKS},
        "decode": {name: last[name] - first[name] for name in CLOCKS},
    }
