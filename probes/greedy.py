"""Greedy decoding of a batch whose rows leave it when they have ended, from a prompt that several runs may share.

It chooses the tokens that `generate` chooses: the same passes over the same positions, without the rows that have nothing left to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from probes.growing_cache import copied, growing_cache, grows
from probes.tracing.tokens import end_tokens

LEAST = 16
"""Rows that stay at least: below that, matrix products of some processors add up in another order, and a row would depend on how many
stand beside it in the last digits."""
STEP = 4
"""So many rows are gone before the batch is made smaller: each time copies the cache."""
UNDERSTOOD = frozenset({"input_ids", "attention_mask", "pixel_values"})
NEUTRAL = {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0, "min_length": 0, "guidance_scale": 1.0}
DECIDING = (
    *("bad_words_ids", "sequence_bias", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id"),
    *("min_new_tokens", "exponential_decay_length_penalty", "stop_strings", "max_time", "prefill_chunk_size"),
    *("watermarking_config", "remove_invalid_values", "prompt_lookup_num_tokens", "dola_layers", "token_healing"),
)


@dataclass(frozen=True)
class Prefill:
    """A prompt that was read: its cache, and the scores of the first token.

    Attributes
    ----------
    cache : of the prompt alone; a run takes a copy
    logits : of the next token
    """

    cache: DynamicCache
    logits: Float[Tensor, "row token"]

    @property
    def bytes(self) -> int:
        """What it holds in memory."""
        parts = [part for layer in self.cache.layers for part in (layer.keys, layer.values)]
        return sum(part.numel() * part.element_size() for part in (*parts, self.logits))


def understood(model: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether this loop decodes the model as `generate` does: a LLaVA whose settings change no score, on a cache that keeps all."""
    config = model.generation_config
    return (
        grows(model)
        and set(inputs) <= UNDERSTOOD
        and bool(end_tokens(model))
        and all(getattr(config, name, None) in (None, neutral) for name, neutral in NEUTRAL.items())
        and not any(getattr(config, name, None) for name in DECIDING)
    )


@torch.no_grad()
def prefill(model: Any, inputs: Mapping[str, Tensor]) -> Prefill:
    """Read the prompts of a batch, left-padded; the cache has no room to grow, so that many may be kept."""
    return _read(model, inputs, DynamicCache(config=model.config))


def _read(model: Any, inputs: Mapping[str, Tensor], cache: DynamicCache) -> Prefill:
    mask = _mask(inputs)
    given = {**inputs, "attention_mask": mask, "position_ids": _positions(inputs)}
    logits = model(**given, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1].float()
    return Prefill(cache, logits)


@torch.no_grad()
def greedy(model: Any, inputs: Mapping[str, Tensor], max_new_tokens: int, start: Prefill | None = None) -> Int[Tensor, "row token"]:
    """The likeliest tokens of each row up to its end, then padding; as wide as the longest row.

    Parameters
    ----------
    start : these prompts, read before; read now if None, and then inside of any method's block
    """
    begun = _read(model, inputs, growing_cache(model)) if start is None else Prefill(copied(start.cache), start.logits)
    cache, logits = begun.cache, begun.logits
    ids, mask, positions = inputs["input_ids"], _mask(inputs), _positions(inputs)[:, -1:]
    ends = torch.tensor(end_tokens(model), device=ids.device)
    padding = model.generation_config.pad_token_id
    padding = int(ends[0]) if padding is None else padding
    said = ids.new_full((len(ids), max_new_tokens), padding)
    rows = torch.arange(len(ids), device=ids.device)
    going = torch.ones_like(rows, dtype=torch.bool)
    for step in range(max_new_tokens):
        tokens = torch.where(going, logits.argmax(-1), padding)
        said[rows, step] = tokens
        going = going & ~torch.isin(tokens, ends)
        if not going.any() or step + 1 == max_new_tokens:
            return said[:, : step + 1]
        positions = positions + 1
        if mask is not None:
            mask = torch.cat((mask, mask.new_ones((len(mask), 1))), 1)
        if step and (stay := _staying(going)) is not None:
            cache.batch_select_indices(stay)
            rows, going, tokens, positions = (values[stay] for values in (rows, going, tokens, positions))
            mask = None if mask is None else mask[stay]
        output = model(
            input_ids=tokens[:, None], attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        logits = output.logits[:, -1].float()
    return said


def _staying(going: Tensor) -> Tensor | None:
    """Places of the rows that stay, in their order; None where too few would leave. Ended rows fill up to `LEAST`."""
    ended = (~going).nonzero()[:, 0]
    leave = min(len(ended), len(going) - LEAST)
    if leave < STEP:
        return None
    left = torch.zeros_like(going)
    left[ended[:leave]] = True
    return (~left).nonzero()[:, 0]


def _mask(inputs: Mapping[str, Tensor]) -> Tensor | None:
    """The mask, None where it hides nothing, as `generate` hands it to the model."""
    mask = inputs.get("attention_mask")
    return None if mask is None or bool((mask == 1).all()) else mask


def _positions(inputs: Mapping[str, Tensor]) -> Int[Tensor, "row position"]:
    mask = inputs.get("attention_mask")
    mask = torch.ones_like(inputs["input_ids"]) if mask is None else mask
    return (mask.long().cumsum(-1) - 1).masked_fill(mask == 0, 0)
