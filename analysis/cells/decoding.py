"""How a bench decodes its batches: prompts that cells share are read once, and rows that have ended leave."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from kvsmooth import KVSmooth
from kvsmooth.sinks.needs import needs_of
from probes.greedy import Prefill, greedy, prefill, understood

KEPT = 1 << 30
"""Bytes of prompts that a bench keeps at most; those of further batches are read in every cell."""


class Decoding:
    """Decodes the same batches by one method after the other.

    Parameters
    ----------
    model : ready to generate
    batches : inputs of `generate`
    max_new_tokens : longest text
    """

    def __init__(self, model: Any, batches: Sequence[Mapping[str, Tensor]], max_new_tokens: int):
        self.model, self.batches, self.max_new_tokens = model, batches, max_new_tokens
        self.prompts: dict[int, Prefill] = {}

    @torch.no_grad()
    def run(self, number: int, method: KVSmooth | None) -> tuple[Int[Tensor, "row token"], Any]:
        """What a batch says under the method, on the CPU, and the method's run; None for the baseline."""
        inputs = self.batches[number]
        own = understood(self.model, inputs)
        start = self._prompt(number) if own and not reads_prompt(method) else None
        with nullcontext() if method is None else method(self.model) as run:
            if own:
                said = greedy(self.model, inputs, self.max_new_tokens, start)
            else:
                choice = {"do_sample": False, "num_beams": 1, "max_new_tokens": self.max_new_tokens}
                said = self.model.generate(**inputs, **choice)[:, inputs["input_ids"].shape[1] :]
        return said.cpu(), run

    def _prompt(self, number: int) -> Prefill | None:
        """A batch's prompt, read before any method acts; None where no memory is left to keep it."""
        if number not in self.prompts:
            held = sum(one.bytes for one in self.prompts.values())
            if self.prompts and held + max(one.bytes for one in self.prompts.values()) > KEPT:
                return None
            self.prompts[number] = prefill(self.model, self.batches[number])
        return self.prompts[number]


def reads_prompt(method: KVSmooth | None) -> bool:
    """Whether the method looks at the prompt while it is read: at its hidden states, its token ids, its last outputs or raw states."""
    if method is None:
        return False
    return method.output or method.previous == "raw" or "prompt" in needs_of(method.score) or getattr(method.score, "keys", "all") != "all"
