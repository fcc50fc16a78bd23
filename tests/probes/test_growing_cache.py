"""Caches that grow from their first token on: of a model, copied, in a generation."""

import torch
from transformers import DynamicCache

from kvsmooth.decoding.growing import GrowingLayer
from probes.growing_cache import copied, growing_cache
from tests import zoo


def states(tokens, rows=3, seed=0):
    return torch.randn(2, rows, 2, tokens, 4, generator=torch.Generator().manual_seed(seed)).unbind(0)


def pair(*lengths):
    """Both caches after updates of so many tokens each."""
    model, _ = zoo.build("llava")
    caches = DynamicCache(config=model.config), growing_cache(model)
    for seed, tokens in enumerate(lengths):
        given = [cache.update(*states(tokens, seed=seed), 0) for cache in caches]
        assert all(torch.equal(one, other) for one, other in zip(*given, strict=True))
    return caches


def assert_same(one, other):
    assert one.get_seq_length() == other.get_seq_length()
    assert torch.equal(one.layers[0].keys, other.layers[0].keys)
    assert torch.equal(one.layers[0].values, other.layers[0].values)


def test_a_copy_goes_its_own_way():
    own, growing = pair(5, 1)
    kept = own.layers[0].keys.clone()
    for cache in (own, growing):
        twin = copied(cache)
        twin.update(*states(1, seed=5), 0)
        twin.layers[0].keys.zero_()
        assert torch.equal(cache.layers[0].keys, kept)
        assert cache.get_seq_length() == 6


def test_sliding_layers_stay_as_they_are():
    model, _ = zoo.build("gemma3")
    kinds = [type(layer) for layer in growing_cache(model).layers]
    assert GrowingLayer in kinds
    assert [kind for kind in kinds if kind is not GrowingLayer]


def test_generation_with_it_says_the_same():
    model, inputs = zoo.build("llava", batch=2)
    expected = model.generate(**inputs, max_new_tokens=8)
    assert torch.equal(model.generate(**inputs, max_new_tokens=8, past_key_values=growing_cache(model)), expected)
