"""A checkpoint's own generation settings, as far as they decide whether it can be followed at all."""

import warnings
from typing import Any

import torch

from probes.command.cli import BadInput, Notice

FOLLOWED = {"use_cache": True, "num_beams": 1, "num_return_sequences": 1, "prompt_lookup_num_tokens": None}
"""One sequence a row, one token a step, over a cache: what recording and smoothing follow."""
KEPT_ELSEWHERE = ("quantized", "offloaded", "paged")
"""Kinds of caches that attention does not read in place."""


def settle_generation(name: str, model: torch.nn.Module, tokenizer: Any) -> None:
    """Set right what stands in the way of following a model, in its generation settings and not in the checkpoint.

    Strings at which to stop become end tokens where each is a special token; a text of several tokens cannot end a row here.

    Parameters
    ----------
    name : of the subject
    model : changed in place, with its language model where that has settings of its own

    Warns
    -----
    Notice : what was set

    Raises
    ------
    BadInput : a string at which to stop is no special token
    """
    settings: list[Any] = [module.generation_config for module in model.modules() if getattr(module, "generation_config", None) is not None]
    told = {}
    for config in settings:
        for key, followed in FOLLOWED.items():
            value = getattr(config, key, None)
            if value is not None and value != followed:
                setattr(config, key, followed)
                told[f"{key}={value}"] = f"{key}={followed}"
        kind = config.cache_implementation
        if kind is not None and any(part in kind for part in KEPT_ELSEWHERE):
            config.cache_implementation = None
            told[f"cache_implementation={kind}"] = "a whole cache"
        if config.stop_strings:
            strings = [config.stop_strings] if isinstance(config.stop_strings, str) else list(config.stop_strings)
            config.eos_token_id = list(dict.fromkeys([*_ends(config.eos_token_id), *_tokens(name, strings, tokenizer)]))
            config.stop_strings = None
            told[f"stop_strings={strings}"] = f"eos_token_id={config.eos_token_id}"
    if told:
        line = f"subject {name}: its generation settings say {', '.join(told)}; it is run with {', '.join(told.values())}."
        warnings.warn(line, Notice, stacklevel=3)


def _ends(ends: int | list[int] | None) -> list[int]:
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)


def _tokens(name: str, strings: list[str], tokenizer: Any) -> list[int]:
    """The special tokens that these strings are; no other token holds such a string, so that ending at the one is ending at the other."""
    special = {str(token): number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    if others := [string for string in strings if string not in special]:
        raise BadInput(
            f"subject {name}: its generation settings stop at the text {others[0]!r} (stop_strings), and a row ends here at a token alone; "
            "take stop_strings out of its generation_config.json."
        )
    return [special[string] for string in strings]
