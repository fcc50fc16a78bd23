"""The slow way to what a replay should record: plain `generate` with maps, hidden states and logits kept, and the cache that it leaves."""

import contextlib
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessorList

from probes.tracing.tokens import Forcing
from tests.probes.recorders.reference import raw_pairs
from tests.zoo import decoder_of


@dataclass(frozen=True)
class Replayed:
    """Everything of one generation; positions are padded ones.

    Attributes
    ----------
    rows : by step and layer, the newest attention row, "row head key"
    hidden : by step and layer, the layer's output, "row position channel"; at step 0 of the whole prompt
    logits : by step, "row token"
    raw : by (layer, step), the newest key and value as the model made them
    cache : as the generation left it
    prompt : padded positions of the prompt
    run : of the method
    """

    rows: list[list[torch.Tensor]]
    hidden: list[list[torch.Tensor]]
    logits: list[torch.Tensor]
    raw: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]]
    cache: Any
    prompt: int
    run: Any


def replayed(model, inputs, captions, arm, monkeypatch) -> Replayed:
    """Force the captions on a model with eager attention."""
    outputs: list[list[torch.Tensor]] = []
    layers = decoder_of(model).layers

    def note(number):
        def hook(module, given, output):
            if number == 0:
                outputs.append([])
            outputs[-1].append((output if isinstance(output, torch.Tensor) else output[0]).clone())

        return hook

    handles = [layer.register_forward_hook(note(number)) for number, layer in enumerate(layers)]
    steps = max(map(len, captions))
    forcing = LogitsProcessorList([Forcing(captions, steps, 2)])
    with raw_pairs(monkeypatch) as raw, contextlib.nullcontext() if arm is None else arm(model) as run:
        out = model.generate(
            **inputs, max_new_tokens=steps, logits_processor=forcing, output_attentions=True, output_logits=True,
            return_dict_in_generate=True,
        )  # fmt: skip
    for handle in handles:
        handle.remove()
    rows = [[layer[:, :, -1] for layer in step] for step in out.attentions]
    return Replayed(rows, outputs, list(out.logits), raw, out.past_key_values, inputs["input_ids"].shape[1], run)
