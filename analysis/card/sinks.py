"""Looks for attention sinks and massive activations: what each position receives on average, over layers and heads.

A sink, where there is one, takes a large part of every later query's attention whatever its content (Xiao et al. 2024); massive
activations are single channels thousands of times the median (Sun et al. 2024). Nothing here assumes that either exists.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from probes.subjects.item import Item
from probes.subjects.subject import Subject

LATER = 16


@dataclass(frozen=True)
class Received:
    """The mean attention that one position of the sequence receives from the queries after it, in one layer and head."""

    layer: int
    head: int
    position: int
    piece: str
    attention: float


def received(attention: Float[Tensor, "layer head query key"]) -> Float[Tensor, "layer head key"]:
    """Mean attention of each key from all later queries; NaN for keys with fewer than ``LATER`` of them."""
    size = attention.shape[-1]
    queries = torch.arange(size)
    after = (queries[:, None] > queries[None, :]).float()
    number = after.sum(0)
    mean = (attention * after).sum(-2) / number.clamp(min=1)
    return mean.masked_fill(number < LATER, float("nan"))


@torch.no_grad()
def search(subject: Subject, items: list[Item], captions: list[str], limit: float = 0.3) -> dict:
    """Received attention and largest activations on prompts followed by their captions, as plain numbers.

    Parameters
    ----------
    subject
        The model that is looked at; its attention implementation is eager for the while.
    items
        Images and prompts.
    captions
        The captions that follow the prompts.
    limit
        What counts as a sink: mean received attention of one position in one head above this.
    """
    model, before = subject.model, subject.model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        found = [_one(subject, item, text) for item, text in zip(tqdm(items, "sinks", disable=None), captions, strict=True)]
    finally:
        model.set_attn_implementation(before)
    prompt = min(len(pieces) - n_text for _, pieces, n_text, _ in found)
    fixed = torch.stack([mean[..., :prompt] for mean, _, _, _ in found]).nanmean(0)
    pieces = found[0][1]
    uniform = float(np.mean([_uniform(len(p)) for _, p, _, _ in found]))
    written = [_written(mean, names, n_text) for mean, names, n_text, _ in found]
    peaks = np.stack([values for values, _ in written])
    activation = np.stack([row for *_, row in found])
    return {
        "scenes": len(found),
        "first_token_by_layer": fixed[..., 0].mean(1).tolist(),
        "first_token_largest_head": float(fixed[..., 0].max()),
        "first_token_under_uniform_attention": uniform,
        "largest_in_prompt": [vars(item) for item in _largest(fixed, pieces)],
        "largest_in_caption_by_layer": peaks.mean(0).tolist(),
        "caption_above_limit_by_layer": (peaks > limit).mean(0).tolist(),
        "largest_in_caption_pieces": [Counter(names).most_common(3) for names in zip(*(names for _, names in written), strict=True)],
        "limit": limit,
        "sinks": [vars(item) for item in _largest(fixed, pieces, fixed.numel()) if item.attention > limit],
        "largest_activation_by_layer": activation[..., 0].mean(0).tolist(),
        "largest_over_median_by_layer": activation[..., 1].mean(0).tolist(),
    }


def _one(subject: Subject, item: Item, caption: str) -> tuple[Tensor, list[str], int, np.ndarray]:
    inputs = subject.encode([item])
    text = torch.tensor([subject.tokens(caption)])
    ids = torch.cat([inputs["input_ids"], text], 1)
    out = subject.model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=inputs["pixel_values"],
        output_attentions=True,
        output_hidden_states=True,
    )
    hidden = torch.stack(out.hidden_states[1:])[:, 0].abs()
    largest = hidden.flatten(1).max(1).values
    row = torch.stack([largest, largest / hidden.flatten(1).median(1).values], -1)
    return received(torch.stack(out.attentions)[:, 0]), subject.pieces(ids[0].tolist()), text.shape[1], row.numpy()


def _written(mean: Float[Tensor, "layer head key"], pieces: list[str], n_text: int) -> tuple[np.ndarray, list[str]]:
    """The largest received attention of any caption position in any head, by layer, and which piece that is."""
    peak = mean[..., -n_text:].nan_to_num(0).amax(1).max(1)
    return peak.values.numpy(), [pieces[len(pieces) - n_text + place] for place in peak.indices.tolist()]


def _largest(mean: Float[Tensor, "layer head key"], pieces: list[str], n: int = 8) -> list[Received]:
    values, places = mean.nan_to_num(0).flatten().topk(min(n, mean.numel()))
    found = []
    for value, place in zip(values.tolist(), places.tolist(), strict=True):
        layer, head, key = (int(x) for x in np.unravel_index(place, tuple(mean.shape)))
        found.append(Received(layer, head, key, pieces[key], value))
    return found


def _uniform(size: int) -> float:
    """What the first token receives when every query attends to all its keys alike."""
    return float(np.mean(1 / np.arange(2, size + 1)))
