"""Where the newest token lies in a cached tensor, for dynamic, sliding and static cache layers, without asking the device."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import StaticLayer

from kvsmooth.errors import Unsupported


def is_static(layer: object) -> bool:
    """Whether a cache layer has room for tokens to come, so that its last place is not the newest token's."""
    return isinstance(layer, StaticLayer)


def newest_slots(layer: Any) -> Int[Tensor, "2"] | None:
    """Places of the previous and the newest token in a static layer; None where they are the last two."""
    if not is_static(layer):
        return None
    if layer.is_sliding and layer.get_seq_length() >= layer.max_cache_len:
        return None
    newest: Tensor = layer.cumulative_length.view(1)
    return newest + torch.arange(-2, 0, device=layer.cumulative_length.device)


def newest_pair(states: Float[Tensor, "row kv key channel"], slots: Int[Tensor, "2"] | None) -> Float[Tensor, "row kv 2 channel"]:
    """The cached states of the previous and the newest token."""
    return states[:, :, -2:] if slots is None else states.index_select(2, slots)


def write_newest(
    states: Float[Tensor, "row kv key channel"], slots: Int[Tensor, "2"] | None, newest: Float[Tensor, "row kv channel"]
) -> None:
    """Put a new state of the newest token in its place."""
    if slots is None:
        states[:, :, -1].copy_(newest)
    else:
        states.index_copy_(2, slots[1:], newest.unsqueeze(2))


def capacity(cache: Cache, longest: int) -> int | None:
    """Steps that a static cache may see, at most `longest`; None for a cache that grows.

    A static cache whose layers all slide forgets its length, so the model's own limit stands in for it.
    """
    layers: list[Any] = cache.layers
    if not all(is_static(layer) for layer in layers):
        return None
    whole = [int(layer.max_cache_len) for layer in layers if not layer.is_sliding]
    return max(whole) if whole else longest


def check_alias(layer: Any, key: Tensor, value: Tensor) -> None:
    """Make sure that the tensors attention received are the cache's own, so that editing them edits the cache.

    Raises
    ------
    Unsupported
    """
    for cached, received in ((layer.keys, key), (layer.values, value)):
        if cached is None or cached.untyped_storage().data_ptr() != received.untyped_storage().data_ptr():
            raise Unsupported(
                f"KVSmooth edits the cache through the tensors that attention reads; a {type(layer).__name__} hands out copies: "
                'use a DynamicCache or cache_implementation="static".'
            )
