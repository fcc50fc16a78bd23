"""Caches that grow in place from their first token (`kvsmooth.decoding.growing`), for loops of one's own."""

from typing import Any

from transformers import DynamicCache, LlavaForConditionalGeneration
from transformers.cache_utils import DynamicLayer

from kvsmooth.decoding.growing import GrowingLayer


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


def copied(cache: DynamicCache) -> DynamicCache:
    """A cache of the same contents and with room of its own, so that one prompt serves several continuations."""
    twin = DynamicCache()
    for layer in cache.layers:
        own = GrowingLayer()
        if layer.is_initialized:
            own.update(layer.keys, layer.values)
        twin.layers.append(own)
    return twin
