"""Dynamic, static and foreign caches make no difference, and nothing but the newest place of a cache changes."""

import dataclasses
import gc
import weakref

import pytest
import torch
from transformers import DynamicCache

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.sinks import RowEntropy
from tests import zoo
from tests.kvsmooth.cases import FAST, METHOD, MOVING, RICH, TOKENS
from tests.kvsmooth.reference import moved, smoothed
from tests.rounding import assert_close

BOTH = ("sdpa", "eager")
QUICK = [(name, "sdpa") for name in FAST]
# the cache is the family's, whoever attends: the slow ones with each implementation in turn
OTHERS = [*((name, "eager") for name in FAST), *zoo.turns([name for name in zoo.FAMILIES if name not in FAST], BOTH)]


def in_tiers(cases):
    return [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in cases)]


@pytest.mark.parametrize(("name", "attn"), in_tiers(OTHERS))
def test_static_cache_equals_dynamic(name, attn):
    assert_static_equals_dynamic(name, METHOD, attn)


@pytest.mark.parametrize(("name", "attn"), in_tiers(zoo.turns(("mistral", "qwen2_vl", "instructblip", "gemma3"), BOTH)))
def test_static_cache_equals_dynamic_with_rich_options(name, attn):
    assert_static_equals_dynamic(name, RICH, attn)


def assert_static_equals_dynamic(name, method, attn):
    dynamic, run, _ = moved(name, attn) if method == METHOD else smoothed(name, method, 2, TOKENS, attn=attn)
    static, run_static, _ = smoothed(name, method, 2, TOKENS, attn=attn, cache_implementation="static")
    assert_close(static, dynamic)
    assert_close(run_static.rates, run.rates)
    assert_close(run_static.change_values, run.change_values)


def test_two_caches_in_turn_keep_their_own_queues():
    model, inputs = zoo.build("llama", batch=2)
    _, run, sequences = smoothed("llama", METHOD, 2)
    rows = [inputs["input_ids"][0], inputs["input_ids"][1][inputs["attention_mask"][1].bool()]]
    with METHOD(model) as by_hand, torch.no_grad():
        caches = [model(input_ids=row[None], use_cache=True).past_key_values for row in rows]
        for step in range(7):
            for row, cache in enumerate(caches):
                model(input_ids=sequences[row, step - 8].view(1, 1), past_key_values=cache)
    for row, generation in enumerate(by_hand.generations):
        assert_close(generation["rates"][:, :, 0], run.rates[:, :, row])


def test_a_cache_kept_for_the_next_turn_of_generate():
    model, inputs = zoo.build("llama")
    cache = DynamicCache(config=model.config)
    with METHOD(model) as run:
        first = model.generate(**inputs, max_new_tokens=4, past_key_values=cache)
        longer = torch.cat((first, inputs["input_ids"][:, :5]), 1)
        mask = torch.ones_like(longer)
        model.generate(input_ids=longer, attention_mask=mask, max_new_tokens=3, past_key_values=cache)
    assert [len(generation["rates"]) for generation in run.generations] == [3, 2]


def test_the_cache_is_the_only_thing_that_changes():
    """After a step the newest cached key is (1 - rate) raw + rate previous, and no older place was touched."""
    model, inputs = zoo.build("llama")
    with torch.no_grad(), METHOD(model) as run:
        cache = model(**inputs, use_cache=True).past_key_values
        for token in (7, 9, 21, 33):
            before = [layer.keys.clone() for layer in cache.layers]
            model(input_ids=torch.tensor([[token]]), past_key_values=cache)
            for layer, old in zip(cache.layers, before, strict=True):
                assert torch.equal(layer.keys[:, :, :-1], old)
    with torch.no_grad():
        raw = model(**inputs, use_cache=True).past_key_values
        model(input_ids=torch.tensor([[7]]), past_key_values=raw)
    # the first layer's input does not depend on what was smoothed
    rate = run.rates[0, 0, 0]
    expected = (1 - rate) * raw.layers[0].keys[:, :, -1] + rate * raw.layers[0].keys[:, :, -2]
    assert_close(cache.layers[0].keys[:, :, 11], expected)


def test_a_shortened_cache_is_not_followed_in_silence():
    model, inputs = zoo.build("llama")
    with torch.no_grad(), METHOD(model):
        cache = model(**inputs, use_cache=True).past_key_values
        for _ in range(3):
            model(input_ids=torch.tensor([[7]]), past_key_values=cache)
        cache.crop(-2)
        with pytest.raises(Unsupported, match="followed 14 tokens and the cache holds 12"):
            model(input_ids=torch.tensor([[7]]), past_key_values=cache)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    "method", [METHOD, RICH, KVSmooth(**MOVING, score=RowEntropy("text", normalise=True))], ids=["one", "rich", "text"]
)
@pytest.mark.parametrize("name", ["gemma3", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mistral", "llama"))])
def test_a_cache_that_knows_no_kinds_of_layers_equals_the_default_one(name, method, exact):
    """`DynamicCache()` keeps every token in every layer, so sliding and full layers differ by their masks alone."""
    method = dataclasses.replace(method, exact=exact)
    if name == "gemma3":
        method = dataclasses.replace(method, layers=range(4))
    # few steps: a model that repeats itself makes equal scores, whose ranks then hang on rounding
    expected, run, sequences = smoothed(name, method, 2, TOKENS)
    logits, run_plain, plain = smoothed(name, method, 2, TOKENS, past_key_values=DynamicCache())
    assert torch.equal(plain, sequences)
    assert_close(logits, expected)
    assert_close(run_plain.entropies, run.entropies)
    assert_close(run_plain.rates, run.rates)


def test_like_layers_with_masks_of_their_own_are_each_scored_under_their_own():
    """Layers of one kind need not share a mask object; a model may hand each of them another."""
    model, inputs = zoo.build("gemma3", batch=2)
    method = KVSmooth(**{**MOVING, "layers": range(4)}, score=RowEntropy(normalise=True))
    expected, run, _ = smoothed("gemma3", method, 2)
    config = zoo.decoder_of(model).config
    types, config.layer_types = config.layer_types, None
    with method(model) as blind:
        config.layer_types = types  # the model knows the kinds of its layers, the method has not seen them
        out = model.generate(**inputs, max_new_tokens=8, past_key_values=DynamicCache(), return_dict_in_generate=True, output_logits=True)
    assert_close(torch.stack(out.logits), expected)
    assert_close(blind.entropies, run.entropies)


@pytest.mark.parametrize("generation", [{}, {"num_beams": 2}], ids=str)
def test_no_cache_of_an_earlier_call_is_kept_alive(generation):
    model, inputs = zoo.build("llava")
    caches = []
    gc.collect()
    gc.disable()
    try:
        with METHOD(model) as run:
            for _ in range(3):
                cache = DynamicCache(config=model.config)
                caches.append(weakref.ref(cache))
                model.generate(**{**inputs, **generation, "past_key_values": cache}, max_new_tokens=4)
                del cache
                assert [reference() for reference in caches] == [None] * len(caches)
    finally:
        gc.enable()
    assert len(run.generations) == 3
