"""A KV cache that grows in place: a new token is written behind the others, where transformers' own cache copies them all at every step.

It does so for the time of one `generate`, in which nobody else holds the cache; what `generate` hands back is as without it.
"""

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from kvsmooth.decoding.attention import innermost_decoder
from kvsmooth.decoding.refusals import option

ROOM = 64  # positions that are set aside when a layer is full
OTHERWISE = ("assistant_model", "assistant_early_exit", "prompt_lookup_num_tokens", "custom_generate", "penalty_alpha", "dola_layers")
"""Options of `generate` under which it does more with its cache than append to it."""


class GrowingLayer(DynamicLayer):
    """A dynamic layer whose keys and values are the first positions of longer tensors; it holds the same numbers at the same places."""

    room: tuple[Tensor, Tensor] | None = None
    _written: tuple[Tensor, Tensor] | None = None  # the keys and values that this layer has put there last

    def __getstate__(self) -> dict[str, Any]:  # a copy makes a room of its own
        return {name: held for name, held in vars(self).items() if name not in ("room", "_written")}

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append the newest positions; gives all keys and values. What cannot be written behind as it is, is left to torch.cat."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        present: Any = (self.keys, self.values)
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or not _follow(present, (key_states, value_states)):
            return super().update(key_states, value_states, *args, **kwargs)
        held = 0 if present[0].dim() == 1 else present[0].shape[2]
        added = key_states.shape[2]
        total = held + added
        if self.room is None or not self._fits(self.room, present, total):
            keys, values = (
                _longer(states if held else None, newest, total + ROOM)
                for states, newest in zip(present, (key_states, value_states), strict=True)
            )
            self.room = keys, values
        keys, values = self.room
        keys.narrow(2, held, added).copy_(key_states)
        values.narrow(2, held, added).copy_(value_states)
        self.keys, self.values = self._written = keys.narrow(2, 0, total), values.narrow(2, 0, total)
        return self._written

    def reset(self) -> None:
        """Forget everything."""
        self.room = self._written = None
        super().reset()

    def settle(self) -> None:
        """Become a dynamic layer again, whose keys and values take no more room than they need."""
        vars(self).pop("room", None)
        vars(self).pop("_written", None)
        self.__class__ = DynamicLayer  # type: ignore[assignment]
        if self.is_initialized:
            held: Any = (self.keys, self.values)
            self.keys, self.values = (states.clone(memory_format=torch.contiguous_format) for states in held)

    def _fits(self, rooms: tuple[Tensor, Tensor], present: tuple[Tensor, Tensor], total: int) -> bool:
        """Whether the room is long enough and ends with what is held, where others may have cropped it or put something else there."""
        if self._written is None or present[0] is not self._written[0] or present[1] is not self._written[1] or rooms[0].shape[2] < total:
            return False
        return torch.is_inference_mode_enabled() or not rooms[0].is_inference()  # which torch forbids to write elsewhere


@contextmanager
def growing(module: Any, given: Mapping[str, Any]) -> Iterator[None]:
    """A block for one call `module.generate(**given)`, in which its cache grows in place; nothing that is computed changes.

    Beam search, which copies its cache at every step, other ways of generating that do more than append, and caches of one's own choice
    of implementation are left alone; so are layers that drop old tokens, and compiled passes.
    """
    decoder = innermost_decoder(module)
    if decoder is None or not _appends(module, given):
        yield
        return
    own: list[weakref.ref[Cache]] = []

    def before_pass(decoder: object, args: object, kwargs: Mapping[str, Any]) -> None:
        cache = kwargs.get("past_key_values")
        if not isinstance(cache, Cache) or torch.compiler.is_compiling():
            return
        if not own:
            own.append(weakref.ref(cache))  # the text's; a branch has another
        if own[0]() is cache:
            for layer in getattr(cache, "layers", ()):
                if type(layer) is DynamicLayer and layer.get_seq_length():
                    layer.__class__ = GrowingLayer

    handle = decoder.register_forward_pre_hook(before_pass, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
        cache: Any = own[0]() if own else None  # gone, unless the caller has it
        for layer in getattr(cache, "layers", ()):
            if type(layer) is GrowingLayer:
                layer.settle()


def _appends(module: Any, given: Mapping[str, Any]) -> bool:
    """Whether a call of `generate` does nothing with its cache but append to it."""
    return (
        option(module, given, "num_beams") in (None, 1)
        and option(module, given, "cache_implementation") is None
        and option(module, given, "use_cache") is not False
        and not any(option(module, given, name) for name in OTHERWISE)
    )


def _follow(present: tuple[Tensor, Tensor], newest: tuple[Tensor, Tensor]) -> bool:
    """Whether the newest states may be written behind those held as they are: as many keys as values, of one type, place and shape."""
    (held_keys, held_values), (keys, values) = present, newest
    if keys.shape[-2] != values.shape[-2]:
        return False
    if held_keys.dim() == 1:  # nothing was ever held
        return True
    return held_keys.shape[2] == held_values.shape[2] and _behind(held_keys, keys) and _behind(held_values, values)


def _behind(held: Tensor, newest: Tensor) -> bool:
    there, added = held.shape, newest.shape
    alike = there[0] == added[0] and there[1] == added[1] and there[3] == added[3]
    return alike and held.dtype == newest.dtype and held.device == newest.device


def _longer(cached: Tensor | None, newest: Tensor, length: int) -> Tensor:
    """An empty tensor of this length with the cached positions in front."""
    room = newest.new_empty((*newest.shape[:2], length, newest.shape[-1]))
    if cached is not None:
        room[:, :, : cached.shape[-2]] = cached
    return room
