"""A cache that grows in place holds what transformers' own holds, whatever is done to it, and writes over nothing that others hold."""

import copy

import pytest
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from kvsmooth import KVSmooth
from kvsmooth.decoding.attention import innermost_decoder
from kvsmooth.decoding.growing import ROOM, GrowingLayer, growing
from tests import zoo
from tests.kvsmooth.cases import FAST, TOKENS

FAMILIES = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in zoo.FAMILIES if name not in FAST)]
NEUTRAL = KVSmooth(lambda_ref=0.0, margin=0.0, layers=(0, 1, 2))
SLIDING = {"mistral"}
"""Families whose layers all drop old tokens: nothing of them grows."""


def states(tokens=1, rows=3, seed=0, **options):
    return torch.randn(2, rows, 2, tokens, 4, generator=torch.Generator().manual_seed(seed)).to(**options).unbind(0)


def pair(*lengths, kind=torch.no_grad):
    """Layers of both kinds after updates of so many tokens each."""
    own, grows = DynamicLayer(), GrowingLayer()
    with kind():
        for seed, tokens in enumerate(lengths):
            given = [layer.update(*states(tokens, seed=seed)) for layer in (own, grows)]
            assert all(torch.equal(one, other) for one, other in zip(*given, strict=True))
    return own, grows


def assert_same(one, other):
    assert one.get_seq_length() == other.get_seq_length()
    assert torch.equal(one.keys, other.keys)
    assert torch.equal(one.values, other.values)
    assert (one.keys.dtype, one.values.dtype) == (other.keys.dtype, other.values.dtype)


def test_it_holds_the_same_beyond_its_first_room():
    assert_same(*pair(7, *[1] * (ROOM + 3)))


def test_the_newest_token_is_written_in_place():
    _, grows = pair(7, 1)
    before = grows.keys.data_ptr(), grows.values.data_ptr()
    grows.update(*states(seed=9))
    assert (grows.keys.data_ptr(), grows.values.data_ptr()) == before


def test_rows_that_are_reordered_or_leave_and_tokens_that_are_cropped():
    for change in (
        lambda layer: layer.reorder_cache(torch.tensor([2, 2, 0])),
        lambda layer: layer.crop(-2),
        lambda layer: layer.batch_repeat_interleave(2),
        lambda layer: layer.batch_select_indices(torch.tensor([0, 2])),
        lambda layer: vars(layer).update(keys=layer.keys[:2], values=layer.values[:2]),
        lambda layer: layer.reset(),
    ):
        own, grows = pair(5, 1, 1)
        for layer in (own, grows):
            change(layer)
        assert own.get_seq_length() == grows.get_seq_length()
        for seed in (20, 21):
            newest = states(rows=len(own.keys) if own.get_seq_length() else 3, seed=seed)
            own.update(*newest), grows.update(*newest)
            assert_same(own, grows)


def test_what_others_kept_from_before_is_not_written_over():
    """As a search does that goes back: it crops, goes on, and takes up again what it had kept."""
    for crop in (
        lambda layer: layer.crop(-2),
        lambda layer: vars(layer).update(keys=layer.keys[:, :, :-2], values=layer.values[:, :, :-2]),
    ):
        _, grows = pair(5, 1, 1)
        kept = grows.keys, grows.values
        before = [part.clone() for part in kept]
        crop(grows)
        for seed in (20, 21):
            grows.update(*states(seed=seed))
        assert all(torch.equal(part, other) for part, other in zip(kept, before, strict=True))
        grows.keys, grows.values = kept
        grows.update(*states(seed=22))
        assert torch.equal(grows.keys, torch.cat((before[0], states(seed=22)[0]), -2))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_goes_its_own_way(copied):
    own, grows = pair(5, 1)
    twin = copied(grows)
    twin.update(*states(seed=5))
    grows.update(*states(seed=6)), own.update(*states(seed=6))
    assert_same(own, grows)
    assert torch.equal(twin.keys[:, :, -1:], states(seed=5)[0])


def test_what_does_not_fit_behind_is_left_to_torch_cat():
    for given, newest in (
        ({}, {"dtype": torch.float64}),
        ({"dtype": torch.float64}, {}),
        ({"dtype": torch.bfloat16}, {}),
    ):
        layers = DynamicLayer(), GrowingLayer()
        for layer in layers:
            layer.update(*states(5, **given)), layer.update(*states(seed=1, **newest)), layer.update(*states(seed=2))
        assert_same(*layers)
    # keys of one token that were rotated to several positions, as Qwen2-VL makes them of a mask without positions
    own, grows = pair(5, 1)
    for layer in (own, grows):
        layer.update(states(4, seed=3)[0], states(seed=3)[1])
    assert own.keys.shape[-2] != own.values.shape[-2]
    assert_same(own, grows)
    _, grows = pair(5, 1)
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        grows.update(*states(rows=1))


def test_gradients_flow_as_before():
    """What a step has attended to is kept for the way back, so that the next one may not write behind it."""
    found = []
    for layer in (DynamicLayer(), GrowingLayer()):
        given, loss = [states(2, seed=seed)[0].requires_grad_() for seed in range(3)], 0.0
        for one in given:
            keys, values = layer.update(one, one)
            loss = loss + keys.square().sum() + (keys * values).sum()
        loss.backward()
        found.append([one.grad for one in given])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


class Appending(torch.nn.Module):
    """A decoder that does nothing but keep what it is given."""

    def forward(self, newest, past_key_values):
        return past_key_values.update(newest, newest, 0)[0].sum()


def test_compiled_passes_leave_the_cache_alone():
    decoder, cache = Appending(), DynamicCache()
    cache.update(*states(5), 0)
    with growing(decoder):
        torch.compile(decoder, backend="eager", fullgraph=True)(states(seed=1)[0], past_key_values=cache)
        assert [type(layer) for layer in cache.layers] == [DynamicLayer]
        decoder(states(seed=2)[0], past_key_values=cache)
        assert [type(layer) for layer in cache.layers] == [GrowingLayer]


def test_no_room_is_kept_for_nothing():
    _, grows = pair(5, 1)
    grows.reset()
    assert grows.room is None
    decoder, cache = Appending(), DynamicCache()
    cache.update(*states(5), 0)
    with growing(decoder):
        decoder(states(seed=2)[0], past_key_values=cache)
        assert cache.layers[0].room
    assert vars(cache.layers[0])["room"] is None


def test_what_was_made_in_inference_mode_is_not_written_outside_of_it():
    own, grows = pair(5, 1, kind=torch.inference_mode)
    with torch.no_grad():
        for layer in (own, grows):
            layer.update(*states(seed=4)), layer.update(*states(seed=5))
    assert_same(own, grows)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_says_the_same_and_its_cache_holds_the_same(name):
    model, inputs = zoo.build(name, batch=2)
    decoder = innermost_decoder(model)
    options = {"max_new_tokens": TOKENS, "return_dict_in_generate": True, "output_logits": True}
    plain = model.generate(**inputs, **options)
    with growing(decoder):
        grown = model.generate(**inputs, **options)
        kinds = [type(layer) for layer in grown.past_key_values.layers]
    assert torch.equal(torch.stack(grown.logits), torch.stack(plain.logits))
    before = [type(layer) for layer in plain.past_key_values.layers]
    assert kinds == [GrowingLayer if kind is DynamicLayer else kind for kind in before]
    assert (GrowingLayer in kinds) == (name not in SLIDING)
    for own, other in zip(plain.past_key_values.layers, grown.past_key_values.layers, strict=True):
        assert_same(own, other)
    assert [type(layer) for layer in grown.past_key_values.layers] == before, "the block has ended"
    assert not decoder._forward_pre_hooks


def test_the_block_of_a_method_grows_the_cache_and_leaves_it_as_it_was():
    model, inputs = zoo.build("llava", batch=2)
    plain = model.generate(**inputs, max_new_tokens=TOKENS)
    cache, seen = DynamicCache(config=model.config), []
    innermost_decoder(model).register_forward_hook(lambda *_: seen.append((type(cache.layers[0]), cache.layers[0].keys.data_ptr())))
    with NEUTRAL(model):
        assert torch.equal(model.generate(**inputs, max_new_tokens=TOKENS, past_key_values=cache), plain)
    assert [kind for kind, _ in seen] == [DynamicLayer, *[GrowingLayer] * (TOKENS - 1)]
    assert len({place for _, place in seen[1:]}) == 1
    assert {type(layer) for layer in cache.layers} == {DynamicLayer}
    # and the cache goes on without the method
    held = cache.get_seq_length()
    model.generate(torch.cat((inputs["input_ids"], plain[:, -TOKENS:]), 1), max_new_tokens=2, past_key_values=cache)
    assert cache.get_seq_length() == held + 2
