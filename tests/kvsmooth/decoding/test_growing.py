"""A cache that grows in place holds what transformers' own holds, whatever is done to it, and what is handed back is transformers' own."""

import contextlib
import copy
import functools
import pickle

import pytest
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from kvsmooth import KVSmooth
from kvsmooth.baselines import SPARC
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


@torch.no_grad()
def pair(*lengths):
    """Layers of both kinds after updates of so many tokens each."""
    own, grows = DynamicLayer(), GrowingLayer()
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


@torch.no_grad()
def test_the_newest_token_is_written_in_place():
    _, grows = pair(7, 1)
    before = grows.keys.data_ptr(), grows.values.data_ptr()
    grows.update(*states(seed=9))
    assert (grows.keys.data_ptr(), grows.values.data_ptr()) == before


@torch.no_grad()
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


@torch.no_grad()
def test_what_was_cropped_away_is_not_written_over_where_others_kept_it():
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


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@torch.no_grad()
def test_a_copy_goes_its_own_way(copied):
    own, grows = pair(5, 1)
    twin = copied(grows)
    assert twin.room is None
    twin.update(*states(seed=5))
    grows.update(*states(seed=6)), own.update(*states(seed=6))
    assert_same(own, grows)
    assert torch.equal(twin.keys[:, :, -1:], states(seed=5)[0])


def other_types(layer):
    layer.update(*states(seed=1, dtype=torch.float64)), layer.update(*states(seed=2))


def several_positions(layer):
    """Keys of one token that were rotated to several positions, as Qwen2-VL makes them of a mask without positions."""
    layer.update(states(4, seed=3)[0], states(seed=3)[1]), layer.update(*states(seed=4))


def one_head(layer):
    vars(layer).update(keys=layer.keys[:, :1], values=layer.values[:, :1])
    for seed in (5, 6):
        layer.update(*(part[:, :1] for part in states(seed=seed)))


def emptied(layer):
    layer.crop(-7), layer.update(*states(2, seed=7, dtype=torch.bfloat16)), layer.update(*states(seed=8))


@pytest.mark.parametrize("change", [other_types, several_positions, one_head, emptied])
@torch.no_grad()
def test_what_does_not_fit_behind_is_left_to_torch_cat(change):
    layers = pair(5, 1, 1)
    for layer in layers:
        change(layer)
    assert_same(*layers)


@torch.no_grad()
def test_what_torch_cat_refuses_is_refused():
    for crop in (-1, -6):
        _, grows = pair(5, 1)
        grows.crop(crop)
        with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
            grows.update(*states(rows=1))


def test_gradients_flow_as_before():
    """What a step has attended to is kept for the way back, so that the next one may not write behind it."""
    found = []
    for layer in (DynamicLayer(), GrowingLayer()):
        given, loss = [states(2, seed=seed)[0].requires_grad_() for seed in range(3)], 0.0
        query = torch.ones(4, requires_grad=True)
        for one in given:
            keys, values = layer.update(one, one)
            loss = loss + (keys * query).sum() + (keys * values).sum()
        loss.backward()
        found.append([one.grad for one in (*given, query)])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@torch.no_grad()
def test_compiled_updates_are_as_before():
    @functools.partial(torch.compile, backend="eager", fullgraph=True)
    def updated(layer, newest):
        return layer.update(newest, newest)

    layers = pair(5, 1)
    for layer in layers:
        updated(layer, states(seed=1)[0]), layer.update(*states(seed=2))
    assert_same(*layers)


def test_what_was_made_in_inference_mode_is_not_written_outside_of_it():
    layers = DynamicLayer(), GrowingLayer()
    for layer in layers:
        with torch.inference_mode():
            layer.update(*states(5)), layer.update(*states(seed=3))
        with torch.no_grad():
            layer.update(*states(seed=4)), layer.update(*states(seed=5))
    assert_same(*layers)


def test_no_room_is_kept_for_nothing():
    _, grows = pair(5, 1)
    grows.reset()
    assert grows.room is None
    own, grows = pair(5, 1)
    grows.settle()
    assert type(grows) is DynamicLayer
    assert_same(own, grows)
    assert vars(own).keys() == vars(grows).keys()
    assert own.keys.untyped_storage().nbytes() == grows.keys.untyped_storage().nbytes()


@contextlib.contextmanager
def watched(model):
    """By pass, what kinds of layers the decoder has met, and where the first one's keys lie."""
    seen = []

    def note(decoder, args, kwargs, result):
        layers = getattr(kwargs.get("past_key_values"), "layers", ())
        seen.append(([type(layer) for layer in layers], layers[0].keys.data_ptr() if layers else None))

    handle = innermost_decoder(model).register_forward_hook(note, with_kwargs=True)
    yield seen
    handle.remove()


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_says_the_same_and_hands_the_same_cache_back(name):
    model, inputs = zoo.build(name, batch=2)
    options = {"max_new_tokens": TOKENS, "return_dict_in_generate": True, "output_logits": True}
    plain = model.generate(**inputs, **options)
    with watched(model) as seen, growing(model, inputs | options):
        grown = model.generate(**inputs, **options)
    assert torch.equal(torch.stack(grown.logits), torch.stack(plain.logits))
    before = [type(layer) for layer in plain.past_key_values.layers]
    within = [GrowingLayer if kind is DynamicLayer else kind for kind in before]
    assert [kinds for kinds, _ in seen] == [before, *[within] * (TOKENS - 1)]
    assert (GrowingLayer in within) == (name not in SLIDING)
    assert [type(layer) for layer in grown.past_key_values.layers] == before
    for own, other in zip(plain.past_key_values.layers, grown.past_key_values.layers, strict=True):
        assert_same(own, other)
        assert vars(own).keys() == vars(other).keys()
        assert own.keys.stride() == other.keys.stride()
        assert own.keys.untyped_storage().nbytes() == other.keys.untyped_storage().nbytes()
    assert not innermost_decoder(model)._forward_pre_hooks


@pytest.mark.parametrize(
    "other", [{"num_beams": 2}, {"cache_implementation": "static"}, {"use_cache": False}, {"prompt_lookup_num_tokens": 2}]
)
def test_what_does_more_than_append_is_left_alone(other):
    model, inputs = zoo.build("llama")
    plain = model.generate(**inputs, max_new_tokens=TOKENS, **other)
    with watched(model) as seen, growing(model, inputs | other):
        assert torch.equal(model.generate(**inputs, max_new_tokens=TOKENS, **other), plain)
    assert seen
    assert not any(GrowingLayer in kinds for kinds, _ in seen)


def test_a_branch_beside_the_text_is_left_alone():
    model, inputs = zoo.build("llava")
    with watched(model) as seen, growing(model, inputs):
        model.generate(**inputs, max_new_tokens=TOKENS, guidance_scale=1.5)
    text, branch = seen[::2], seen[1::2]
    assert all(GrowingLayer in kinds for kinds, _ in text[1:])
    assert not any(GrowingLayer in kinds for kinds, _ in branch)


def test_under_a_method_the_cache_is_written_where_it_lies():
    model, inputs = zoo.build("llava", batch=2)
    plain = model.generate(**inputs, max_new_tokens=TOKENS)
    with watched(model) as seen, NEUTRAL(model):
        assert torch.equal(model.generate(**inputs, max_new_tokens=TOKENS), plain)
    assert len({place for _, place in seen[1:]}) == 1


def test_a_chat_of_two_turns_under_a_method_that_multiplies_what_is_cached():
    """What was kept of the first turn stays as it was, and the second is as without growing."""
    model, inputs = zoo.build("llava")
    said = []
    for grows in (True, False):
        cache = DynamicCache(config=model.config)
        with pytest.MonkeyPatch.context() as patch, watched(model) as seen, SPARC(alpha=1.5, tau=0.0)(model):
            if not grows:
                patch.setattr("kvsmooth.decoding.calls.growing", lambda *_: contextlib.nullcontext())
            first = model.generate(**inputs, max_new_tokens=TOKENS, past_key_values=cache)
            kept = [part for layer in cache.layers for part in (layer.keys, layer.values)]
            before = [part.clone() for part in kept]
            said.append(model.generate(torch.cat((first, first[:, -2:]), 1), max_new_tokens=TOKENS, past_key_values=cache))
        assert all(torch.equal(part, other) for part, other in zip(kept, before, strict=True))
        assert (GrowingLayer in seen[1][0]) == grows
        assert {type(layer) for layer in cache.layers} == {DynamicLayer}
    assert torch.equal(*said)


def test_an_interrupt_leaves_a_cache_as_transformers_makes_it():
    model, inputs = zoo.build("llava")
    cache, seen = DynamicCache(config=model.config), []

    def interrupt(*_):
        seen.append(type(cache.layers[0]))
        if len(seen) == 3:
            raise KeyboardInterrupt

    handle = innermost_decoder(model).layers[1].register_forward_hook(interrupt)
    with NEUTRAL(model), pytest.raises(KeyboardInterrupt):
        model.generate(**inputs, max_new_tokens=TOKENS, past_key_values=cache)
    handle.remove()
    assert seen == [DynamicLayer, GrowingLayer, GrowingLayer]
    assert {type(layer) for layer in cache.layers} == {DynamicLayer}
    assert not any("room" in vars(layer) for layer in cache.layers)
