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

from kvsmooth.spans import GROUPS, token_groups
from probes.subjects.item import Item
from probes.subjects.subject import Subject

LATER = 16
TEXT = "text"
"""The caption so far, the token itself included."""
KEYS = (*GROUPS[:4], TEXT)


@dataclass(frozen=True)
class ReceivedAttention:
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


@dataclass(frozen=True)
class SinkObservation:
    """What one text shows.

    Attributes
    ----------
    received : mean attention of each position
    pieces : of the whole text
    n_text : how many of them are the caption
    mass : share of a caption token's attention on each of `KEYS`, mean over tokens and heads
    activations : the largest, and its ratio to the median
    places : by layer, piece, position and channel of the largest activation
    """

    received: Float[Tensor, "layer head key"]
    pieces: list[str]
    n_text: int
    mass: Float[np.ndarray, "layer group"]
    activations: Float[np.ndarray, "layer 2"]
    places: list[tuple[str, int, int]]


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
    prompt = min(len(one.pieces) - one.n_text for one in found)
    fixed = torch.stack([one.received[..., :prompt] for one in found]).nanmean(0)
    pieces = found[0].pieces
    uniform = float(np.mean([_uniform(len(one.pieces)) for one in found]))
    written = [_written(one.received, one.pieces, one.n_text) for one in found]
    peaks = np.stack([values for values, _ in written])
    activation = np.stack([one.activations for one in found])
    places = Counter(place for one in found for place in one.places)
    return {
        "scenes": len(found),
        "first_token_by_layer": fixed[..., 0].mean(1).tolist(),
        "first_token_largest_head": float(fixed[..., 0].max()),
        "first_token_under_uniform_attention": uniform,
        "mass_by_layer": dict(zip(KEYS, np.mean([one.mass for one in found], 0).T.tolist(), strict=True)),
        "largest_in_prompt": [vars(item) for item in _largest(fixed, pieces)],
        "largest_in_caption_by_layer": peaks.mean(0).tolist(),
        "caption_above_limit_by_layer": (peaks > limit).mean(0).tolist(),
        "largest_in_caption_pieces": [Counter(names).most_common(3) for names in zip(*(names for _, names in written), strict=True)],
        "limit": limit,
        "sinks": [vars(item) for item in _largest(fixed, pieces, fixed.numel()) if item.attention > limit],
        "largest_activation_by_layer": activation[..., 0].mean(0).tolist(),
        "largest_over_median_by_layer": activation[..., 1].mean(0).tolist(),
        "largest_activation_places": [
            {"piece": piece, "position": position, "channel": channel, "share": often / places.total()}
            for (piece, position, channel), often in places.most_common(3)
        ],
    }


def _one(subject: Subject, item: Item, caption: str) -> SinkObservation:
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
    pieces = subject.pieces(ids[0].tolist())
    hidden = torch.stack(out.hidden_states[1:])[:, 0].abs()
    width = hidden.shape[-1]
    largest = hidden.flatten(1).max(1)
    row = torch.stack([largest.values, largest.values / hidden.flatten(1).median(1).values], -1)
    places = [(pieces[at // width], at // width, at % width) for at in largest.indices.tolist()]
    attention, n_text = torch.stack(out.attentions)[:, 0], text.shape[1]
    groups = torch.cat([token_groups(subject.model, inputs["input_ids"])[0], torch.full((n_text,), len(KEYS) - 1)])
    rows = attention[:, :, -n_text:].mean((1, 2))
    mass = torch.stack([rows[:, groups == group].sum(-1) for group in range(len(KEYS))], -1)
    return SinkObservation(received(attention), pieces, n_text, mass.numpy(), row.numpy(), places)


def _written(mean: Float[Tensor, "layer head key"], pieces: list[str], n_text: int) -> tuple[np.ndarray, list[str]]:
    """The largest received attention of any caption position in any head, by layer, and which piece that is."""
    peak = mean[..., -n_text:].nan_to_num(0).amax(1).max(1)
    return peak.values.numpy(), [pieces[len(pieces) - n_text + place] for place in peak.indices.tolist()]


def _largest(mean: Float[Tensor, "layer head key"], pieces: list[str], n: int = 8) -> list[ReceivedAttention]:
    values, places = mean.nan_to_num(0).flatten().topk(min(n, mean.numel()))
    found = []
    for value, place in zip(values.tolist(), places.tolist(), strict=True):
        layer, head, key = (int(x) for x in np.unravel_index(place, tuple(mean.shape)))
        found.append(ReceivedAttention(layer, head, key, pieces[key], value))
    return found


def _uniform(size: int) -> float:
    """What the first token receives when every query attends to all its keys alike."""
    return float(np.mean(1 / np.arange(2, size + 1)))
