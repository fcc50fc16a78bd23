"""Calls of `generate`, announced before they run: what they will feed as prompt, and whether they can be smoothed at all."""

import functools
import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch

from kvsmooth.decoding.growing import growing
from kvsmooth.decoding.refusals import guided, option, refuse_generation
from kvsmooth.decoding.stream import Stream
from kvsmooth.decoding.text import Text, ends_of
from kvsmooth.errors import Unsupported


class Call:
    """A running call of `generate`.

    Attributes
    ----------
    prompt : tokens that it will feed before it decodes; None when its first pass is the whole prompt
    ids : its token ids and attention mask, where it was given any
    stream : the stream it feeds, once the first pass has begun
    thread : the thread that it runs in
    ends : its end tokens
    guided : it runs a branch beside its text, for classifier-free guidance
    """

    def __init__(self, module: torch.nn.Module, given: Mapping[str, Any]):
        self.prompt, self.ids = chunked_prompt(module, given), given_ids(given)
        self.stream: Stream | None = None
        self.thread = threading.get_ident()
        self.ends = ends_of(option(module, given, "eos_token_id"))
        self.guided = guided(module, given)
        prompts = self.ids[0] if self.ids is not None else given.get("inputs_embeds")
        self._prompts = 1 if prompts is None else len(prompts)
        # rows that a text or a criterion of the caller's ended have only padding behind, put there where there are end tokens too
        otherwise = given.get("stopping_criteria") or option(module, given, "stop_strings")
        padding = ends_of(option(module, given, "pad_token_id")) or self.ends
        self._padding = padding[0] if otherwise and self.ends else None

    def tell(self, text: Text, result: object) -> None:
        """Tell a text what this call has returned."""
        tokens = getattr(result, "sequences", result)
        if isinstance(tokens, torch.Tensor) and tokens.dim() == 2:
            text.said = tokens[:, 0 if self.ids is None else self.ids[0].shape[1] :].detach().cpu()
            text.padding, text.prompts = self._padding, self._prompts


class Calls(list[Call]):
    """Calls that run now, the innermost last; `ended` when the block has.

    A `generate` runs in the thread that called it, and a block has one attention function for all: two threads at once would mix
    their texts, and a thread that outlives the block would go on without the method, which nothing in its output tells.
    """

    ended = False

    def __init__(self, returned: Callable[[Call, object], None]):
        super().__init__()
        self.returned = returned

    def check(self) -> None:
        """Refuse a call that begins after the block, or beside another thread's.

        Raises
        ------
        Unsupported
        """
        if self.ended:
            raise Unsupported(
                "KVSmooth cannot serve a generate that was taken from the model inside a `with` that has ended: call model.generate."
            )
        if any(call.thread != threading.get_ident() for call in self):
            raise Unsupported(
                "KVSmooth follows one generate at a time and another thread's is running on this model; join that thread first."
            )

    def end(self, clean: bool) -> None:
        """Learn that the block ends; `clean` when no exception is on its way.

        Raises
        ------
        Unsupported : a call still runs, in another thread
        """
        self.ended = True
        if self and clean:
            raise Unsupported(
                "KVSmooth's `with` ended while generate was running in another thread, whose further tokens were not smoothed; "
                "read its streamer to the end and join the thread inside the `with`."
            )


def announce(module: Any, calls: Calls) -> Callable[[], None]:
    """Put each call of `module.generate` on `calls` while it runs, on this instance only; gives the function that undoes it.

    A call that cannot be smoothed raises `Unsupported` before anything runs.
    """
    generate, own = module.generate, vars(module).get("generate")
    signature = inspect.signature(generate)

    @functools.wraps(generate)
    def announced(*args: Any, **kwargs: Any) -> Any:
        given = dict(signature.bind_partial(*args, **kwargs).arguments)
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                given |= given.pop(parameter.name, {})
        calls.check()
        refuse_generation(module, given)
        call = Call(module, given)
        calls.append(call)
        try:
            with growing(module, given):
                result = generate(*args, **kwargs)
        finally:
            calls.remove(call)
        calls.returned(call, result)
        return result

    module.generate = announced
    return functools.partial(setattr, module, "generate", own) if own else functools.partial(delattr, module, "generate")


def given_ids(given: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """Ids and mask of the prompt that `generate` is given; None where it is given none."""
    ids = given.get("input_ids", given.get("inputs"))
    return None if ids is None or ids.numel() == 0 else (ids, given.get("attention_mask"))


def chunked_prompt(module: torch.nn.Module, given: Mapping[str, Any]) -> int | None:
    """Tokens that `generate` will feed before it decodes when it prefills in chunks; None when it does so in one pass."""
    if option(module, given, "prefill_chunk_size") is None:
        return None
    mask, cache = given.get("attention_mask"), given.get("past_key_values")
    fed = given["inputs_embeds"] if given.get("inputs_embeds") is not None else given.get("input_ids", given.get("inputs"))
    tokens: int = fed.shape[1]
    # with a cache the ids are those of the whole sequence, unless the mask says that they are only the new ones
    whole = given.get("inputs_embeds") is not None or mask is None or mask.shape[1] == tokens
    return tokens - int(cache.get_seq_length()) if cache is not None and whole else tokens
