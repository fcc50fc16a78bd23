"""What decodes, what is prompt, and that batches, caches and beams make no difference."""

import dataclasses
import gc
import weakref

import pytest
import torch
from transformers import DynamicCache

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.sinks import RowEntropy
from tests import zoo
from tests.kvsmooth.reference import smoothed

MOVING = {"lambda_ref": 0.5, "margin": 0.5, "window": 4, "layers": (0, 1, 2)}
METHOD = KVSmooth(**MOVING)
RICH = KVSmooth(**MOVING, previous="raw", rope="before", heads="per_head", timing="recompute", score=RowEntropy("without_bos"))
TEXT_KEYS = KVSmooth(**MOVING, score=RowEntropy("text", normalise=True))


def close(a, b, atol=2e-5):
    torch.testing.assert_close(a, b, atol=atol, rtol=1e-5)


def one_row(inputs, row):
    """The inputs of a row of a batch of two by itself, its padding removed."""
    real = inputs["attention_mask"][row].bool()
    tokens = len(real)
    alone = {}
    for key, value in inputs.items():
        if key == "qformer_input_ids" or key == "qformer_attention_mask":
            alone[key] = value[row : row + 1]
        elif value.dim() == 2 and value.shape == (2, tokens):
            alone[key] = value[row : row + 1, real]
        else:
            alone[key] = value.chunk(2)[row]
    return alone


def single(name, row, method, attn="sdpa"):
    """Generation of one row of a batch of two by itself."""
    model, inputs = zoo.build(name, attn=attn, batch=2)
    alone = one_row(inputs, row)
    with method(model) as run:
        out = model.generate(**alone, max_new_tokens=8, return_dict_in_generate=True, output_logits=True)
    return torch.stack(out.logits), run


@pytest.mark.parametrize("attn", ["sdpa", pytest.param("eager", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", zoo.FAMILIES)
def test_left_padded_batch_equals_singles(name, attn):
    logits, run, _ = smoothed(name, METHOD, 2, attn=attn)
    for row in range(2):
        alone, run_alone = single(name, row, METHOD, attn)
        close(logits[:, row : row + 1], alone)
        close(run.rates[:, :, row], run_alone.rates[:, :, 0])
        close(run.entropies[:, :, row], run_alone.entropies[:, :, 0])
        close(run.change_keys[:, :, row], run_alone.change_keys[:, :, 0])


@pytest.mark.parametrize("attn", ["sdpa", pytest.param("eager", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", zoo.FAMILIES)
def test_static_cache_equals_dynamic(name, attn):
    assert_static_equals_dynamic(name, METHOD, attn)


@pytest.mark.parametrize("attn", ["sdpa", pytest.param("eager", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["llava", "gemma3", "mistral", "qwen2_vl", "instructblip"])
def test_static_cache_equals_dynamic_with_rich_options(name, attn):
    assert_static_equals_dynamic(name, RICH, attn)


def assert_static_equals_dynamic(name, method, attn):
    dynamic, run, _ = smoothed(name, method, 2, tokens=12, attn=attn)
    static, run_static, _ = smoothed(name, method, 2, tokens=12, attn=attn, cache_implementation="static")
    close(static, dynamic)
    close(run_static.rates, run.rates)
    close(run_static.change_values, run.change_values)


@pytest.mark.parametrize("chunk", [1, 4, 5, 10])
def test_a_prompt_in_chunks_is_still_a_prompt(chunk):
    # 11 tokens in chunks of 5 or 10 end with a chunk of one token
    whole, run, _ = smoothed("llama", METHOD)
    chunked, run_chunked, _ = smoothed("llama", METHOD, prefill_chunk_size=chunk)
    close(chunked, whole)
    assert run_chunked.rates.shape == run.rates.shape == (7, 3, 1)
    close(run_chunked.rates, run.rates)


@pytest.mark.parametrize("name", ["qwen3", "mistral"])
def test_a_prompt_in_chunks_on_other_text_models(name):
    whole, run, _ = smoothed(name, METHOD)
    chunked, run_chunked, _ = smoothed(name, METHOD, prefill_chunk_size=5)
    close(chunked, whole)
    close(run_chunked.rates, run.rates)


@pytest.mark.parametrize("name", ["llava", "gemma3"])
def test_the_embeddings_of_a_prompt_in_chunks(name):
    """Image families cannot take their pixels in chunks; the language model alone takes embeddings by hand."""
    model, inputs = zoo.build(name)
    embeds, decoder = model.get_input_embeddings()(inputs["input_ids"]), model.get_decoder()
    runs = []
    for pieces in ([embeds], embeds.split(4, 1)):
        cache = DynamicCache(config=decoder.config)
        with METHOD(model) as run, torch.no_grad():
            for piece in pieces:
                decoder(inputs_embeds=piece, past_key_values=cache, use_cache=True)
            for token in (7, 9, 21, 33):
                decoder(input_ids=torch.tensor([[token]]), past_key_values=cache, use_cache=True)
        runs.append(run)
    close(runs[1].entropies, runs[0].entropies)
    close(runs[1].rates, runs[0].rates)


@pytest.mark.parametrize("method", [METHOD, RICH, KVSmooth(**MOVING, output=True)], ids=["default", "rich", "output"])
def test_a_loop_of_ones_own_equals_generate(method):
    expected, run, sequences = smoothed("llava", method)
    model, inputs = zoo.build("llava")
    logits = []
    with method(model) as by_hand, torch.no_grad():
        out = model(**inputs, use_cache=True)
        logits.append(out.logits[:, -1])
        for token in sequences[0, -8:-1]:
            out = model(input_ids=token.view(1, 1), past_key_values=out.past_key_values)
            logits.append(out.logits[:, -1])
    close(torch.stack(logits), expected)
    close(by_hand.rates, run.rates)


def test_a_loop_by_hand_may_feed_its_prompt_in_chunks_and_take_turns():
    model, inputs = zoo.build("llama")
    ids = inputs["input_ids"]
    whole, run, sequences = smoothed("llama", METHOD)
    cache = DynamicCache(config=model.config)
    with METHOD(model) as by_hand, torch.no_grad():
        model(input_ids=ids[:, :4], past_key_values=cache)
        out = model(input_ids=ids[:, 4:], past_key_values=cache)
        close(out.logits[:, -1], whole[0])
        for step, token in enumerate(sequences[0, -8:-1]):
            out = model(input_ids=token.view(1, 1), past_key_values=cache)
            close(out.logits[:, -1], whole[step + 1])
        close(by_hand.rates, run.rates)
        # the next turn: a second prompt on the same cache begins with empty queues
        model(input_ids=ids[:, :3], past_key_values=cache)
        model(input_ids=ids[:, :1], past_key_values=cache)
    assert [len(generation["rates"]) for generation in by_hand.generations] == [7, 1]
    assert by_hand.rates.eq(0).all()


def test_image_keys_are_found_in_a_prompt_fed_in_chunks():
    method = KVSmooth(**MOVING, score=RowEntropy("without_bos", normalise=True))
    _, run, sequences = smoothed("llama", method)
    model, inputs = zoo.build("llama")
    cache = DynamicCache(config=model.config)
    with method(model) as by_hand, torch.no_grad():
        for piece in inputs["input_ids"].split(4, 1):
            model(input_ids=piece, past_key_values=cache)
        for token in sequences[0, -8:-1]:
            model(input_ids=token.view(1, 1), past_key_values=cache)
    close(by_hand.entropies, run.entropies)
    close(by_hand.rates, run.rates)


def test_a_prompt_read_before_the_block_is_taken_up():
    model, inputs = zoo.build("llama")
    _, run, sequences = smoothed("llama", METHOD)
    with torch.no_grad():
        cache = model(**inputs, use_cache=True).past_key_values
        with METHOD(model) as by_hand:
            for token in sequences[0, -8:-1]:
                model(input_ids=token.view(1, 1), past_key_values=cache)
    close(by_hand.rates, run.rates)


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
        close(generation["rates"][:, :, 0], run.rates[:, :, row])


def test_several_generations_and_two_models_in_their_blocks():
    first, inputs = zoo.build("llama")
    second, others = zoo.build("qwen2_vl")
    _, run, sequences = smoothed("llama", METHOD)
    with METHOD(first) as one, KVSmooth(layers=(1,))(second) as two:
        first.generate(**inputs, max_new_tokens=4)
        second.generate(**others, max_new_tokens=5)
        again = first.generate(**inputs, max_new_tokens=8)
    assert torch.equal(again, sequences)
    assert torch.equal(one.rates, run.rates)
    assert [generation["rates"].shape for generation in one.generations] == [(3, 3, 1), (7, 3, 1)]
    assert one.report()["steps"] == 10
    assert two.rates.shape == (4, 1, 1)


def test_a_cache_kept_for_the_next_turn_of_generate():
    model, inputs = zoo.build("llama")
    cache = DynamicCache(config=model.config)
    with METHOD(model) as run:
        first = model.generate(**inputs, max_new_tokens=4, past_key_values=cache)
        longer = torch.cat((first, inputs["input_ids"][:, :5]), 1)
        mask = torch.ones_like(longer)
        model.generate(input_ids=longer, attention_mask=mask, max_new_tokens=3, past_key_values=cache)
    assert [len(generation["rates"]) for generation in run.generations] == [3, 2]


def test_sampling_draws_the_same_tokens_and_repeats_rows():
    model, inputs = zoo.build("llava", batch=2)
    sampled = []
    for _ in range(2):
        torch.manual_seed(3)
        with METHOD(model) as run:
            sampled.append(model.generate(**inputs, max_new_tokens=6, do_sample=True, num_return_sequences=3))
    assert torch.equal(*sampled)
    assert run.rates.shape == (5, 3, 6)


def beams_by_hand(name, method, beams, tokens, batch):
    """Beam search in plain Python, on smoothing of every hypothesis from scratch: nothing is reordered, everything replayed."""
    model, inputs = zoo.build(name, batch=batch)
    best = []
    for row in range(batch):
        hypotheses = [((), 0.0)]
        for _ in range(tokens):
            grown = []
            for prefix, score in hypotheses:
                for token, gain in enumerate(next_log_probabilities(model, inputs, row, prefix, method)):
                    grown.append(((*prefix, token), score + gain))
            hypotheses = sorted(grown, key=lambda grown_one: -grown_one[1])[:beams]
        best.append(list(hypotheses[0][0]))
    return torch.tensor(best)


def next_log_probabilities(model, inputs, row, prefix, method):
    with method(model), torch.no_grad():
        # tokens are forced one by one, so that generate itself deals with the positions of every family
        forced = iter(prefix)
        scores = []

        def force(input_ids, logits):
            scores.append(logits)
            token = next(forced, 0)
            return torch.full_like(logits, -torch.inf).index_fill(1, torch.tensor([token]), 0.0)

        model.generate(**one_row(inputs, row), max_new_tokens=len(prefix) + 1, logits_processor=[force])
    return scores[-1][0].log_softmax(-1).tolist()


SLOW_FAMILIES = [pytest.param(name, marks=() if name in ("llava", "gemma3") else pytest.mark.slow) for name in zoo.FAMILIES]


@pytest.mark.parametrize("name", SLOW_FAMILIES)
def test_beam_search_equals_beams_by_hand(name):
    assert_beams_equal_beams_by_hand(name, METHOD, None, 2)


@pytest.mark.slow
@pytest.mark.parametrize("method", [METHOD, RICH], ids=["default", "rich"])
@pytest.mark.parametrize("cache", [None, "static"])
def test_beam_search_equals_beams_by_hand_on_both_caches(cache, method):
    assert_beams_equal_beams_by_hand("llava", method, cache, 3)


def assert_beams_equal_beams_by_hand(name, method, cache, beams):
    model, inputs = zoo.build(name, batch=2)
    with method(model) as run:
        out = model.generate(**inputs, max_new_tokens=4, num_beams=beams, length_penalty=0.0, cache_implementation=cache)
    assert torch.equal(out[:, -4:], beams_by_hand(name, method, beams, 4, 2))
    assert run.rates.shape == (3, 3, 2 * beams)


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
    torch.testing.assert_close(cache.layers[0].keys[:, :, 11], expected)


def test_a_row_that_has_ended_changes_nothing_for_the_others():
    model, inputs = zoo.build("llava", batch=2)
    _, run, sequences = smoothed("llava", METHOD, 2)
    stop = next(int(token) for token in sequences[0, -8:] if token not in sequences[1, -8:])
    with METHOD(model) as early:
        ended = model.generate(**inputs, max_new_tokens=8, eos_token_id=stop)
    assert ended[0, -1] == zoo.PAD
    assert torch.equal(early.rates[:, :, 1], run.rates[:, :, 1])


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
@pytest.mark.parametrize("name", ["gemma3", "mistral", "llama"])
def test_a_cache_that_knows_no_kinds_of_layers_equals_the_default_one(name, method, exact):
    """`DynamicCache()` keeps every token in every layer, so sliding and full layers differ by their masks alone."""
    method = dataclasses.replace(method, exact=exact)
    if name == "gemma3":
        method = dataclasses.replace(method, layers=range(4))
    # few steps: a model that repeats itself makes equal scores, whose ranks then hang on rounding
    expected, run, sequences = smoothed(name, method, 2)
    logits, run_plain, plain = smoothed(name, method, 2, past_key_values=DynamicCache())
    assert torch.equal(plain, sequences)
    close(logits, expected)
    close(run_plain.entropies, run.entropies)
    close(run_plain.rates, run.rates)


def test_like_layers_with_masks_of_their_own_are_each_scored_under_their_own():
    """Layers of one kind need not share a mask object; a model may hand each of them another."""
    model, inputs = zoo.build("gemma3", batch=2)
    method = KVSmooth(**{**MOVING, "layers": range(4)}, score=RowEntropy(normalise=True))
    expected, run, _ = smoothed("gemma3", method, 2)
    config = model.get_decoder().config
    types, config.layer_types = config.layer_types, None
    with method(model) as blind:
        config.layer_types = types  # the model knows the kinds of its layers, the method has not seen them
        out = model.generate(**inputs, max_new_tokens=8, past_key_values=DynamicCache(), return_dict_in_generate=True, output_logits=True)
    close(torch.stack(out.logits), expected)
    close(blind.entropies, run.entropies)


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
