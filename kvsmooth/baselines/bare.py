"""A model without any hook or method on it, beside the one it is made of: the same parameters, modules of its own."""

import copy
from typing import Any

import torch
from transformers import PreTrainedConfig

from kvsmooth.decoding.attention import PREFIX

HOOKS = ("hooks", "hooks_with_kwargs", "hooks_always_called")


class Bare:
    """The bare twin of a model, made once; passes through it are seen by nobody who follows the model, and change nothing there.

    Parameters
    ----------
    model : it shares its parameters and buffers, as they are when a pass is made
    """

    def __init__(self, model: torch.nn.Module):
        self._made: dict[int, Any] = {}
        self._module(model)

    def of(self, part: torch.nn.Module) -> Any:
        """The twin of a part of the model.

        Raises
        ------
        KeyError : no part of it
        """
        return self._made[id(part)]

    def _module(self, part: torch.nn.Module) -> Any:
        if id(part) not in self._made:
            twin = self._made[id(part)] = type(part).__new__(type(part))
            state = {name: type(value)() if name.endswith(HOOKS) else self._config(value) for name, value in vars(part).items()}
            for name in ("generate", "_output_capturing_hooks_installed"):  # of those who follow it; of transformers, which will do it anew
                state.pop(name, None)
            if getattr(state.get("forward"), "__wrapped__", None) is type(part).forward:  # of those who read the model while it runs
                del state["forward"]
            state["_modules"] = {name: None if child is None else self._module(child) for name, child in part._modules.items()}
            twin.__dict__.update(state)
        return self._made[id(part)]

    def _config(self, value: Any) -> Any:
        """A configuration of its own, with the attention that no method owns; anything else as it is."""
        if not isinstance(value, PreTrainedConfig):
            return value
        if id(value) not in self._made:
            twin = self._made[id(value)] = copy.copy(value)
            twin.__dict__.update({name: self._config(held) for name, held in vars(value).items()})
            if str(twin._attn_implementation).startswith(PREFIX):
                twin._attn_implementation_internal = "sdpa"
        return self._made[id(value)]
