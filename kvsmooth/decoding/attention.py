"""Who computes the attention of the language model: an own function for the time of a `with`, the function found before and after.

The function is registered under a name of its own with both of transformers' interfaces. With the mask interface it delegates to the
mask function of the implementation found: without that registration the mask would silently be None.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from kvsmooth.errors import Unsupported

PREFIX = "kvsmooth_"  # must not contain "flash", "sdpa", "flex" or "paged": transformers branches on those
_active: set[str] = set()


def innermost_decoder(model: Any) -> Any:
    """The stack of layers that writes the text, None if there is none.

    `get_decoder()` of some families gives a whole language model, head and all, that holds the stack in its turn (BLIP-2 on OPT, Llama 4).
    """
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    while decoder is not None and not hasattr(decoder, "layers"):
        inner = decoder.get_decoder() if hasattr(decoder, "get_decoder") else None
        # a causal model that finds no decoder gives itself
        decoder = getattr(decoder, "model", None) if inner is decoder else inner
    return decoder


def decoder_of(model: torch.nn.Module) -> Any:
    """The stack of self-attention layers that writes the text, wherever the family keeps it.

    Raises
    ------
    Unsupported
        Unless it is a decoder-only stack whose layers attend through transformers' attention interface.
    """
    name = type(model).__name__
    if not isinstance(model, PreTrainedModel):
        raise Unsupported(f"KVSmooth needs a transformers PreTrainedModel; got {name}: pass {_inside(model)}.")
    if model.config.is_encoder_decoder or model.config.get_text_config().is_encoder_decoder:
        raise Unsupported(
            f"KVSmooth needs a decoder-only language model; {name} is an encoder-decoder, whose visual keys are the encoder's."
        )
    decoder = innermost_decoder(model)
    attentions = [] if decoder is None else [getattr(layer, "self_attn", None) for layer in decoder.layers]
    if not attentions or any(getattr(attention, "layer_idx", None) is None for attention in attentions):
        raise Unsupported(f"KVSmooth needs self-attention over a KV cache in every decoder layer; {name} has other layers or no decoder.")
    if not decoder._can_set_attn_implementation():
        raise Unsupported(f"KVSmooth needs attention through transformers' AttentionInterface; {type(decoder).__name__} computes its own.")
    return decoder


def _inside(wrapper: object) -> str:
    """Where the model of a wrapper is: of torch.compile, of peft, of DataParallel, of a pipeline or a subject."""
    base = getattr(wrapper, "get_base_model", None)
    if callable(base) and isinstance(base(), PreTrainedModel):
        return "its get_base_model(), and go on generating with the wrapper"
    for name in ("_orig_mod", "module", "model"):
        if isinstance(getattr(wrapper, name, None), PreTrainedModel):
            return f"its .{name}"
    return "the model itself, not a wrapper of it"


def found_function(decoder: Any, name: str) -> Callable[..., Any]:
    """The attention function behind `name`, "sdpa" or "eager", for the layers of this decoder."""
    if name.startswith(PREFIX):
        raise Unsupported("KVSmooth cannot be nested in another method that owns this model's attention; leave that `with` first.")
    if name == "sdpa":
        found: Callable[..., Any] = ALL_ATTENTION_FUNCTIONS["sdpa"]
        return found
    if name != "eager":
        raise Unsupported(f'KVSmooth needs "sdpa" or "eager" attention; got {name!r}: call model.set_attn_implementation("sdpa") first.')
    functions = {_eager_function(type(layer.self_attn)) for layer in decoder.layers}
    only = next(iter(functions))
    if len(functions) != 1 or only is None:
        raise Unsupported(f'KVSmooth finds no single eager attention of {type(decoder).__name__}; call set_attn_implementation("sdpa").')
    return only


def _eager_function(attention: type) -> Callable[..., Any] | None:
    """The `eager_attention_forward` beside an attention class: transformers keeps one in every modelling file, in no registry."""
    for ancestor in attention.__mro__:
        function: Callable[..., Any] | None = getattr(sys.modules[ancestor.__module__], "eager_attention_forward", None)
        if function is not None:
            return function
    return None


@contextmanager
def owned_attention(model: Any, decoder: Any, build: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """The decoder's attention is `build(found function)` inside the block, and what it was afterwards, also after an exception.

    Only the language model is switched; a vision tower keeps its own implementation.
    """
    found = decoder.config._attn_implementation
    function = build(found_function(decoder, found))
    name = next(name for name in (f"{PREFIX}{i}" for i in range(len(_active) + 1)) if name not in _active)
    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[found])
    _active.add(name)
    try:
        decoder.set_attn_implementation(name)
        if decoder.config._attn_implementation != name or model.config.get_text_config()._attn_implementation != name:
            raise Unsupported(f"KVSmooth cannot switch the attention of {type(model).__name__}: its masks follow another configuration.")
        yield
    finally:
        decoder.set_attn_implementation(found)
        _active.discard(name)
        # the interfaces have no public way to forget a name; a name left behind must not keep the model's tensors alive
        AttentionInterface.register(name, _left)


def _left(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("The `with` block that owned this attention function has ended; set another attn_implementation.")
