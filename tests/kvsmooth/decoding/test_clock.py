"""Which pass is prompt and which decodes, pass by pass; a prompt that goes on behind what a cache holds; passes that torch compiles."""

import pytest
import torch
from transformers import DynamicCache, GenerationConfig, StaticCache

from kvsmooth import Unsupported
from kvsmooth.decoding.calls import chunked_prompt
from kvsmooth.decoding.clock import Clock
from tests import zoo
from tests.kvsmooth.cases import METHOD
from tests.rounding import assert_close

HELD = 6
"""Tokens of the prompt that a cache holds before `generate` is called."""


@pytest.mark.parametrize(("chunk", "prompt"), [(None, [11]), (4, [4, 8, 11]), (5, [5, 10, 11])])
def test_what_a_clock_tells_at_each_pass(chunk, prompt):
    model, inputs = zoo.build("llama")
    decoder, told, caches = zoo.decoder_of(model), [], []
    clock = Clock(model, decoder, (0, 1, 2))
    assert clock.cache is None
    assert (clock.decoding, clock.decoded) == (False, False)
    with pytest.raises(RuntimeError, match="asked for its stream before the first pass"):
        _ = clock.present

    def look(*_):
        told.append((clock.decoding, clock.present.fed))
        caches.append(clock.cache)

    cache = DynamicCache(config=model.config)
    with clock:
        decoder.layers[0].register_forward_pre_hook(look)
        model.generate(**inputs, max_new_tokens=3, prefill_chunk_size=chunk, past_key_values=cache)
        assert clock.cache is None, "between passes none is kept alive"
    assert told == [*((False, fed) for fed in prompt), (True, 12), (True, 13)]
    assert all(seen is cache for seen in caches)
    assert clock.decoded


def held(model, tokens):
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=tokens, past_key_values=cache)
    return cache


@pytest.mark.parametrize("given", ["whole", "whole, masked", "new, masked"])
def test_a_prompt_in_chunks_goes_on_behind_what_a_cache_holds(given):
    """`generate` takes the ids of the whole sequence, or of the new tokens under a mask of the whole."""
    model, inputs = zoo.build("llama")
    ids, runs = inputs["input_ids"], []
    options = {"attention_mask": inputs["attention_mask"]} if "masked" in given else {}
    for chunk in (None, 4):  # a token is left over, which decodes nothing
        cache = held(model, ids[:, :HELD])
        with METHOD(model) as run:
            fed = ids[:, HELD:] if "new" in given else ids
            model.generate(fed, **options, max_new_tokens=5, prefill_chunk_size=chunk, past_key_values=cache)
        runs.append(run)
    whole, chunked = runs
    assert whole.rates.shape == (4, 3, 1)
    assert_close(chunked.rates, whole.rates)
    assert_close(chunked.entropies, whole.entropies)


def test_tokens_that_a_call_will_feed_as_prompt():
    model, inputs = zoo.build("llama")
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    embeds, cache = model.get_input_embeddings()(ids), held(model, ids[:, :HELD])
    for given, tokens in (
        ({"input_ids": ids}, 11),
        ({"inputs": ids, "attention_mask": mask}, 11),
        ({"inputs_embeds": embeds, "attention_mask": mask}, 11),
        ({"inputs_embeds": embeds, "input_ids": ids[:, :0]}, 11),
        ({"input_ids": ids, "past_key_values": cache}, 5),
        ({"input_ids": ids, "attention_mask": mask, "past_key_values": cache}, 5),
        ({"input_ids": ids[:, HELD:], "attention_mask": mask, "past_key_values": cache}, 5),
        ({"inputs_embeds": embeds, "past_key_values": cache}, 5),
        ({"inputs_embeds": embeds, "attention_mask": mask[:, :-1], "past_key_values": cache}, 5),
    ):
        assert chunked_prompt(model, given) is None, "the first pass is the whole prompt"
        assert chunked_prompt(model, {**given, "prefill_chunk_size": 4}) == tokens, list(given)
        assert chunked_prompt(model, {**given, "generation_config": GenerationConfig(prefill_chunk_size=4)}) == tokens


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("name", ["llama", "llava"])
def test_a_text_goes_on_where_torch_stops_compiling(monkeypatch, name, steps):
    """After too many compilations torch runs a model as it is, in the middle of a text: the queue and the record go on."""
    model, inputs = zoo.build(name)
    with METHOD(model) as expected:
        model.generate(**inputs, max_new_tokens=8)
    passes = iter([True] * (steps + 1))  # the prompt's, and so many decode steps

    def compiling(decoder, args, kwargs):
        now = next(passes, False)
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: now)

    hook = zoo.decoder_of(model).register_forward_pre_hook(compiling, with_kwargs=True)
    with METHOD(model) as run:
        model.generate(**inputs, max_new_tokens=8)
    hook.remove()
    assert torch.equal(run.rates, expected.rates)


def test_a_compiled_text_is_that_of_its_prompt_within_the_block(monkeypatch):
    model, inputs = zoo.build("llama")
    tokens = torch.tensor([[7, 9, 21, 33]])

    def loop():
        cache = StaticCache(config=model.config, max_cache_len=20)
        model(**inputs, past_key_values=cache)
        for token in tokens.T:
            model(input_ids=token[None], past_key_values=cache)

    with torch.no_grad(), METHOD(model) as expected:
        loop()
    before = held(model, inputs["input_ids"])
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with torch.no_grad(), METHOD(model) as run:
        with pytest.raises(Unsupported, match="needs to see the prompt of a compiled model inside the `with`; run the prompt there too"):
            model(input_ids=tokens[:, :1], past_key_values=before)
        loop()
        loop()
    assert [len(generation["rates"]) for generation in run.generations] == [4, 4]
    for generation in run.generations:
        assert torch.equal(generation["rates"], expected.rates)
