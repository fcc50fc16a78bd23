"""A KV cache with room to grow: a new token is written behind the others, where transformers' own cache copies them all at every step."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import DynamicCache, LlavaForConditionalGeneration
from transformers.cache_utils import DynamicLayer

ROOM = 64  # positions that are set aside when a layer is full


class GrowingLayer(DynamicLayer):
    """A dynamic layer whose keys and values are the first positions of longer tensors; it holds the same numbers at the same places."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.room: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append the newest positions; gives all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held = self.get_seq_length()
        total = held + key_states.shape[-2]
        if not self._fits(total):
            self.room = tuple(
                _longer(cached if held else None, newest, total + ROOM)
                for cached, newest in ((self.keys, key_states), (self.values, value_states))
            )
        for room, newest in zip(self.room, (key_states, value_states), strict=True):
            room[:, :, held:total] = newest
        self.keys, self.values = (room[:, :, :total] for room in self.room)
        return self.keys, self.values

    def reset(self) -> None:
        """Forget everything."""
        self.room = None
        super().reset()

    def _fits(self, total: int) -> bool:
        """Whether the room is that of the present keys, which others may have put in their place, and long enough."""
        if self.room is None or self.room[0].shape[-2] < total:
            return False
        return all(
            room.data_ptr() == held.data_ptr() and len(room) == len(held)
            for room, held in zip(self.room, (self.keys, self.values), strict=True)
        )


def growing_cache(model: Any) -> DynamicCache:
    """The cache that `generate` would make for this model, its layers of whole attention with room to grow."""
    cache = DynamicCache(config=model.config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def grows(model: Any) -> bool:
    """Whether the cache that `generate` would make has layers of whole attention alone; of LLaVA, whose passes ask nothing else of it."""
    config = model.generation_config
    return (
        isinstance(model, LlavaForConditionalGeneration)
        and config.cache_implementation is None
        and config.use_cache is not False
        and all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)
    )


def with_room(model: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `generate` with a cache that grows in place, where it would make one that does not, and decides the same otherwise."""
    asked = {"past_key_values", "cache_implementation", "use_cache", "assistant_model"} & options.keys()
    return {**options} if asked or not grows(model) else {**options, "past_key_values": growing_cache(model)}


def copied(cache: DynamicCache) -> DynamicCache:
    """A cache of the same contents and with room of its own, so that one prompt serves several continuations."""
    twin = DynamicCache()
    for layer in cache.layers:
        own = GrowingLayer()
        if layer.is_initialized:
            own.update(layer.keys, layer.values)
        twin.layers.append(own)
    return twin


def _longer(cached: Tensor | None, newest: Tensor, length: int) -> Tensor:
    """An empty tensor of this length with the cached positions in front."""
    room = newest.new_empty((*newest.shape[:2], length, newest.shape[-1]))
    if cached is not None:
        room[:, :, : cached.shape[-2]] = cached
    return room
