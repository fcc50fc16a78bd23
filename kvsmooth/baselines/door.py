"""Whose attention runs while a method changes it: the door of `kvsmooth.decoding.attention`, open to methods within one another.

A method that only adds to scores hands its bias on as an additive mask, so that whatever computes the attention, KVSmooth included, sees
the row that the method made.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from kvsmooth.baselines.errors import speaking_for
from kvsmooth.baselines.site import Site
from kvsmooth.decoding.attention import PREFIX, found_function
from kvsmooth.errors import Unsupported

_active: set[str] = set()


@contextmanager
def changed_attention(site: Site, build: Callable[[Callable[..., Any]], Callable[..., Any]], alone: str = "") -> Iterator[None]:
    """The decoder's attention is `build(what it was)` inside the block, and what it was afterwards, also after an exception.

    Parameters
    ----------
    alone : why the method takes no other method's attention as its base; empty if it does

    Raises
    ------
    Unsupported : the implementation found cannot be built upon
    """
    decoder, found = site.decoder, site.decoder.config._attn_implementation
    nested = found.startswith(PREFIX)
    if nested and alone:
        raise Unsupported(f"{site.method} {alone}, and another method owns this model's attention; leave that `with` first.")
    with speaking_for(site.method):
        base = ALL_ATTENTION_FUNCTIONS[found] if nested else found_function(decoder, found)
    name = next(name for name in (f"{PREFIX}method_{i}" for i in range(len(_active) + 1)) if name not in _active)
    AttentionInterface.register(name, build(base))
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[found])
    _active.add(name)
    try:
        decoder.set_attn_implementation(name)
        if decoder.config._attn_implementation != name or site.model.config.get_text_config()._attn_implementation != name:
            raise Unsupported(
                f"{site.method} cannot switch the attention of {type(site.model).__name__}: its masks follow another setting."
            )
        yield
    finally:
        decoder.set_attn_implementation(found)
        _active.discard(name)
        # the interfaces have no public way to forget a name; a name left behind must not keep the model's tensors alive
        AttentionInterface.register(name, _left)


def _left(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("The `with` block that owned this attention function has ended; set another attn_implementation.")
