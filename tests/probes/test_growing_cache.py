"""A cache with room to grow holds what transformers' own holds, whatever is done to it."""

import torch
from transformers import DynamicCache

from probes.growing_cache import ROOM, GrowingLayer, copied, growing_cache
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


def test_it_holds_the_same_beyond_its_first_room():
    own, growing = pair(7, *[1] * (ROOM + 3))
    assert_same(own, growing)


def test_the_newest_token_is_written_in_place():
    _, growing = pair(7, 1)
    before = growing.layers[0].keys.data_ptr()
    growing.update(*states(1, seed=9), 0)
    assert growing.layers[0].keys.data_ptr() == before


def test_rows_that_are_reordered_or_leave_and_tokens_that_are_cropped():
    for change in (
        lambda cache: cache.reorder_cache(torch.tensor([2, 2, 0])),
        lambda cache: cache.crop(-2),
        lambda cache: cache.batch_repeat_interleave(2),
        lambda cache: cache.batch_select_indices(torch.tensor([0, 2])),
    ):
        own, growing = pair(5, 1, 1)
        change(own), change(growing)
        assert_same(own, growing)
        for seed in (20, 21):
            newest = states(1, rows=len(own.layers[0].keys), seed=seed)
            own.update(*newest, 0), growing.update(*newest, 0)
            assert_same(own, growing)


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
