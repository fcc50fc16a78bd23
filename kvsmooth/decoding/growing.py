"""A KV cache that grows in place: a new token is written behind the others, where transformers' own cache copies them all at every step."""

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

ROOM = 64  # positions that are set aside when a layer is full


class GrowingLayer(DynamicLayer):
    """A dynamic layer whose keys and values are the first positions of longer tensors; it holds the same numbers at the same places.

    It writes in place only behind what it wrote itself: keys that others put there, cropped, or kept from before are never written over.
    """

    room: tuple[Tensor, Tensor] | None = None
    _owner = _written = 0

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append the newest positions; gives all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        present: Any = (self.keys, self.values)
        held, newest = self.get_seq_length(), (key_states, value_states)
        total = held + key_states.shape[-2]
        if key_states.shape[-2] != value_states.shape[-2] or (held and not all(map(_follows, present, newest))):
            return super().update(key_states, value_states, *args, **kwargs)
        if self.room is None or not self._fits(self.room, held, total):
            keys, values = (_longer(states if held else None, added, total + ROOM) for states, added in zip(present, newest, strict=True))
            self.room, self._owner = (keys, values), id(self)
        for room, added in zip(self.room, newest, strict=True):
            room[:, :, held:total] = added
        self.keys, self.values = (room[:, :, :total] for room in self.room)
        self._written = total
        return self.keys, self.values

    def reset(self) -> None:
        """Forget everything."""
        self.room = None
        super().reset()

    def _fits(self, rooms: tuple[Tensor, Tensor], held: int, total: int) -> bool:
        """Whether the room is this layer's, long enough, and ends with what is held, where others may have put something else."""
        if self._owner != id(self) or self._written != held or rooms[0].shape[-2] < total:
            return False
        if rooms[0].is_inference() and not torch.is_inference_mode_enabled():  # torch forbids to write it here
            return False
        present: Any = (self.keys, self.values)
        return all(room.data_ptr() == states.data_ptr() and len(room) == len(states) for room, states in zip(rooms, present, strict=True))


def let_grow(decoder: torch.nn.Module) -> Callable[[], None]:
    """Let the caches of this decoder's passes grow in place, where they are transformers' own and keep every token.

    Nothing that is computed changes. Compiled passes leave the cache alone.

    Returns
    -------
    the function that ends it: layers are what they were before, their contents stay
    """
    changed: weakref.WeakSet[Any] = weakref.WeakSet()

    def before_pass(module: object, args: object, kwargs: Mapping[str, Any]) -> None:
        cache = kwargs.get("past_key_values")
        if torch.compiler.is_compiling() or not isinstance(cache, Cache):
            return
        for layer in getattr(cache, "layers", ()):
            if type(layer) is DynamicLayer and layer.get_seq_length():
                layer.__class__ = GrowingLayer
                changed.add(layer)

    handle = decoder.register_forward_pre_hook(before_pass, with_kwargs=True)

    def end() -> None:
        handle.remove()
        for layer in changed:
            layer.__class__ = DynamicLayer
            layer.room = None

    return end


@contextmanager
def growing(decoder: torch.nn.Module | None) -> Iterator[None]:
    """A block in which caches grow in place (`let_grow`); of a model without a decoder nothing changes."""
    end = None if decoder is None else let_grow(decoder)
    try:
        yield
    finally:
        if end is not None:
            end()


def _follows(held: Tensor, newest: Tensor) -> bool:
    """Whether one may be written behind the other as it is; else it is left to torch.cat, which converts, refuses or keeps gradients."""
    alike = held.dtype == newest.dtype and held.device == newest.device
    same_shape = held.shape[:2] == newest.shape[:2] and held.shape[-1] == newest.shape[-1]
    return alike and same_shape and not (torch.is_grad_enabled() and (newest.requires_grad or held.requires_grad))


def _longer(cached: Tensor | None, newest: Tensor, length: int) -> Tensor:
    """An empty tensor of this length with the cached positions in front."""
    room = newest.new_empty((*newest.shape[:2], length, newest.shape[-1]))
    if cached is not None:
        room[:, :, : cached.shape[-2]] = cached
    return room
