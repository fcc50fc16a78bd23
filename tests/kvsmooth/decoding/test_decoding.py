"""What decodes, what is prompt, and that padding, chunks, loops and turns make no difference."""

import pytest
import torch
from transformers import DynamicCache

from kvsmooth import KVSmooth
from kvsmooth.sinks import RowEntropy
from tests import zoo
from tests.kvsmooth.cases import FAST, METHOD, MOVING, RICH, single
from tests.kvsmooth.reference import moved, smoothed
from tests.rounding import assert_close

OTHERS = [name for name in zoo.FAMILIES if name not in FAST]


@pytest.mark.parametrize(
    ("name", "attn"),
    [
        *((name, "sdpa") for name in (*FAST, *zoo.ALSO)),
        *(pytest.param(name, "eager", marks=pytest.mark.slow) for name in (*FAST, *zoo.ALSO)),
        # with each, padded, every family equals a slow reference that looks at its rows one by one
        *(pytest.param(*case, marks=pytest.mark.slow) for case in zoo.turns(OTHERS, ("sdpa", "eager"))),
    ],
)
def test_left_padded_batch_equals_singles(name, attn):
    logits, run, _ = moved(name, attn)
    for row in range(2):
        alone, run_alone = single(name, row, METHOD, attn)
        assert_close(logits[:, row : row + 1], alone)
        assert_close(run.rates[:, :, row], run_alone.rates[:, :, 0])
        assert_close(run.entropies[:, :, row], run_alone.entropies[:, :, 0])
        assert_close(run.change_keys[:, :, row], run_alone.change_keys[:, :, 0])


@pytest.mark.parametrize("chunk", [1, 4, 5, 10])
def test_a_prompt_in_chunks_is_still_a_prompt(chunk):
    # 11 tokens in chunks of 5 or 10 end with a chunk of one token
    whole, run, _ = smoothed("llama", METHOD)
    chunked, run_chunked, _ = smoothed("llama", METHOD, prefill_chunk_size=chunk)
    assert_close(chunked, whole)
    assert run_chunked.rates.shape == run.rates.shape == (7, 3, 1)
    assert_close(run_chunked.rates, run.rates)


@pytest.mark.parametrize("name", ["qwen3", "mistral"])
def test_a_prompt_in_chunks_on_other_text_models(name):
    whole, run, _ = smoothed(name, METHOD)
    chunked, run_chunked, _ = smoothed(name, METHOD, prefill_chunk_size=5)
    assert_close(chunked, whole)
    assert_close(run_chunked.rates, run.rates)


@pytest.mark.parametrize("name", ["llava", "gemma3"])
def test_the_embeddings_of_a_prompt_in_chunks(name):
    """Image families cannot take their pixels in chunks; the language model alone takes embeddings by hand."""
    model, inputs = zoo.build(name)
    embeds, decoder = model.get_input_embeddings()(inputs["input_ids"]), zoo.decoder_of(model)
    runs = []
    for pieces in ([embeds], embeds.split(4, 1)):
        cache = DynamicCache(config=decoder.config)
        with METHOD(model) as run, torch.no_grad():
            for piece in pieces:
                decoder(inputs_embeds=piece, past_key_values=cache, use_cache=True)
            for token in (7, 9, 21, 33):
                decoder(input_ids=torch.tensor([[token]]), past_key_values=cache, use_cache=True)
        runs.append(run)
    assert_close(runs[1].entropies, runs[0].entropies)
    assert_close(runs[1].rates, runs[0].rates)


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
    assert_close(torch.stack(logits), expected)
    assert_close(by_hand.rates, run.rates)


def test_a_loop_by_hand_may_feed_its_prompt_in_chunks_and_take_turns():
    model, inputs = zoo.build("llama")
    ids = inputs["input_ids"]
    whole, run, sequences = smoothed("llama", METHOD)
    cache = DynamicCache(config=model.config)
    with METHOD(model) as by_hand, torch.no_grad():
        model(input_ids=ids[:, :4], past_key_values=cache)
        out = model(input_ids=ids[:, 4:], past_key_values=cache)
        assert_close(out.logits[:, -1], whole[0])
        for step, token in enumerate(sequences[0, -8:-1]):
            out = model(input_ids=token.view(1, 1), past_key_values=cache)
            assert_close(out.logits[:, -1], whole[step + 1])
        assert_close(by_hand.rates, run.rates)
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
    assert_close(by_hand.entropies, run.entropies)
    assert_close(by_hand.rates, run.rates)


def test_a_prompt_read_before_the_block_is_taken_up():
    model, inputs = zoo.build("llama")
    _, run, sequences = smoothed("llama", METHOD)
    with torch.no_grad():
        cache = model(**inputs, use_cache=True).past_key_values
        with METHOD(model) as by_hand:
            for token in sequences[0, -8:-1]:
                model(input_ids=token.view(1, 1), past_key_values=cache)
    assert_close(by_hand.rates, run.rates)


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


def test_sampling_draws_the_same_tokens_and_repeats_rows():
    model, inputs = zoo.build("llava", batch=2)
    sampled = []
    for _ in range(2):
        torch.manual_seed(3)
        with METHOD(model) as run:
            sampled.append(model.generate(**inputs, max_new_tokens=6, do_sample=True, num_return_sequences=3))
    assert torch.equal(*sampled)
    assert run.rates.shape == (5, 3, 6)


def test_a_row_that_has_ended_changes_nothing_for_the_others():
    model, inputs = zoo.build("llava", batch=2)
    _, run, sequences = smoothed("llava", METHOD, 2)
    stop = next(int(token) for token in sequences[0, -8:] if token not in sequences[1, -8:])
    with METHOD(model) as early:
        ended = model.generate(**inputs, max_new_tokens=8, eos_token_id=stop)
    assert ended[0, -1] == zoo.PAD
    assert torch.equal(early.rates[:, :, 1], run.rates[:, :, 1])
