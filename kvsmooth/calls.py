"""Calls of `generate`, announced before they run: what they will feed as prompt, and whether they can be smoothed at all."""

import functools
import inspect
from collections.abc import Callable

import torch

from kvsmooth.refusals import option, refuse_generation
from kvsmooth.stream import Stream


class Call:
    """A running call of `generate`.

    Attributes
    ----------
    prompt : tokens that it will feed before it decodes; None when its first pass is the whole prompt
    ids : its token ids and attention mask, where it was given any
    stream : the stream it feeds, once the first pass has begun
    """

    def __init__(self, prompt: int | None, ids: tuple[torch.Tensor, torch.Tensor | None] | None):
        self.prompt, self.ids = prompt, ids
        self.stream: Stream | None = None


def announce(module: torch.nn.Module, calls: list[Call]) -> Callable[[], None]:
    """Put each call of `module.generate` on `calls` while it runs, on this instance only; gives the function that undoes it.

    A call that cannot be smoothed raises `Unsupported` before anything runs.
    """
    generate, own = module.generate, vars(module).get("generate")
    signature = inspect.signature(generate)

    @functools.wraps(generate)
    def announced(*args, **kwargs):
        given = dict(signature.bind_partial(*args, **kwargs).arguments)
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                given |= given.pop(parameter.name, {})
        refuse_generation(module, given)
        calls.append(Call(chunked_prompt(module, given), given_ids(given)))
        try:
            return generate(*args, **kwargs)
        finally:
            calls.pop()

    module.generate = announced
    return functools.partial(setattr, module, "generate", own) if own else functools.partial(delattr, module, "generate")


def given_ids(given: dict) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    ids = given.get("input_ids", given.get("inputs"))
    return None if ids is None or ids.numel() == 0 else (ids, given.get("attention_mask"))


def chunked_prompt(module: torch.nn.Module, given: dict) -> int | None:
    """Tokens that `generate` will feed before it decodes when it prefills in chunks; None when it does so in one pass."""
    if option(module, given, "prefill_chunk_size") is None:
        return None
    ids, mask, cache = given.get("input_ids", given.get("inputs")), given.get("attention_mask"), given.get("past_key_values")
    tokens = (ids if given.get("inputs_embeds") is None else given["inputs_embeds"]).shape[1]
    # with a cache the ids are those of the whole sequence, unless the mask says that they are only the new ones
    whole = given.get("inputs_embeds") is not None or mask is None or mask.shape[1] == tokens
    return tokens - int(cache.get_seq_length()) if cache is not None and whole else tokens
