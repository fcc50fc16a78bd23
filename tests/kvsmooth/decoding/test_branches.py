"""A second forward beside the text, as guidance and contrastive decoding run one: the record is that of the branch that writes."""

import pytest
import torch
from transformers import DynamicCache

from kvsmooth import KVSmooth, Unsupported
from tests import zoo
from tests.kvsmooth.cases import FAMILIES, METHOD, MOVING, Forced, shared
from tests.rounding import assert_close

TOKENS = 5
UNGUIDED = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
"""Families that transformers itself cannot guide: a step of the negative prompt has a key for every token of its mask."""
GUIDED = [family for family in FAMILIES if family.values[0] not in UNGUIDED]
OTHER = torch.tensor([[3, 5, 7], [4, 6, 8]])


def forced(name, tokens, inputs=None):
    """A run that is made to say these tokens, without any branch."""
    model, own = shared(name, batch=len(tokens))
    with METHOD(model) as run:
        model.generate(**(inputs or own), max_new_tokens=tokens.shape[1], logits_processor=[Forced(tokens)])
    return run


@pytest.mark.parametrize("negative", [OTHER, None], ids=["prompt", "last token"])
@pytest.mark.parametrize("name", GUIDED)
def test_guidance_leaves_the_record_of_the_text(name, negative):
    model, inputs = shared(name, batch=2)
    with METHOD(model) as run:
        out = model.generate(**inputs, max_new_tokens=TOKENS, guidance_scale=2.0, negative_prompt_ids=negative)
    text = forced(name, out[:, -TOKENS:])
    assert_close(run.rates, text.rates)
    assert_close(run.entropies, text.entropies)
    report, expected = run.report(), text.report()
    assert (report["generations"], report["steps"], report["tokens"]) == (1, TOKENS - 1, 2 * (TOKENS - 1))
    assert report["lambda_mean"] == pytest.approx(expected["lambda_mean"], abs=2e-5)
    (branch,) = run.branches
    assert branch["entropies"].shape[0] == TOKENS - 1
    assert not torch.allclose(branch["entropies"], run.entropies)


@pytest.mark.parametrize("name", UNGUIDED)
def test_guidance_that_transformers_cannot_do_is_refused(name):
    model, inputs = zoo.build(name, batch=2)
    options = {"max_new_tokens": TOKENS, "guidance_scale": 2.0}
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        model.generate(**inputs, **options)
    with METHOD(model), pytest.raises(Unsupported, match=f"{type(model).__name__} of transformers cannot be guided.*leave guidance_scale"):
        model.generate(**inputs, **options)


@pytest.mark.parametrize("name", UNGUIDED)
def test_a_step_with_a_mask_and_no_positions(name):
    """The same fault in a loop of one's own: told what to give, and right with it."""
    model, inputs = zoo.build(name)
    with METHOD(model) as run:
        token = model.generate(**inputs, max_new_tokens=2)[:, -2:-1]
    mask = torch.nn.functional.pad(inputs["attention_mask"], (0, 1), value=1)

    @torch.no_grad()
    def loop(**positions):
        with METHOD(model) as run:
            cache = model(**inputs, use_cache=True).past_key_values
            model(input_ids=token, attention_mask=mask, past_key_values=cache, **positions)
        return run

    with pytest.raises(Unsupported, match=r"gave one token 12 positions.*give position_ids"):
        loop()
    by_hand = loop(position_ids=(mask.sum(1) - 1 + model.model.rope_deltas[:, 0]).expand(3, 1, 1))
    assert_close(by_hand.rates, run.rates)
    assert_close(by_hand.entropies, run.entropies)


def loop(model, inputs, other, steps=TOKENS, first="text", tokens=None):
    """Contrastive decoding by hand: text and branch are fed the tokens of both, or each its own."""
    prompts, caches = {"text": inputs, "branch": other}, {"text": None, "branch": None}
    order = ("text", "branch") if first == "text" else ("branch", "text")
    said = {"text": [], "branch": []}
    with torch.no_grad():
        outs = {name: model(**prompts[name], use_cache=True) for name in order}
        for step in range(steps):
            likeliest = (outs["text"].logits[:, -1] - 0.5 * outs["branch"].logits[:, -1]).argmax(-1)
            for name in order:
                caches[name] = outs[name].past_key_values
                token = likeliest if tokens is None else tokens[name][step]
                said[name].append(token)
                outs[name] = model(input_ids=token[:, None], past_key_values=caches[name])
    return {name: torch.stack(each, 1) for name, each in said.items()}


@pytest.mark.parametrize("name", ["llama", "llava"])
def test_a_contrastive_loop_leaves_the_record_of_the_text(name):
    model, inputs = zoo.build(name)
    other = {**inputs, **({"pixel_values": inputs["pixel_values"].flip(-1)} if "pixel_values" in inputs else {"input_ids": OTHER[:1]})}
    other.pop("attention_mask")
    with METHOD(model) as run:
        said = loop(model, inputs, other)
    assert_close(run.rates, forced(name, torch.nn.functional.pad(said["text"], (0, 1))).rates)
    assert len(run.generations) == len(run.branches) == 1
    assert run.report()["tokens"] == TOKENS


def test_two_texts_in_turns_are_two_texts():
    model, inputs = zoo.build("llama")
    other = {"input_ids": OTHER[:1]}
    tokens = {"text": torch.tensor([[9], [11], [9], [20], [9]]), "branch": torch.tensor([[9], [8], [31], [20], [7]])}
    with METHOD(model) as run:
        loop(model, inputs, other, tokens=tokens)
    assert [len(generation["rates"]) for generation in run.generations] == [TOKENS, TOKENS]
    assert not run.branches
    assert_close(run.rates, forced("llama", torch.nn.functional.pad(tokens["branch"].T, (0, 1)), other).rates)


def test_a_branch_begun_before_the_call_and_one_that_generates_within_it():
    model, inputs = zoo.build("llama")

    def beside(ids, scores):
        nonlocal cache
        model(input_ids=ids[:, -1:], past_key_values=cache)
        inner = DynamicCache(config=model.config)
        model.generate(input_ids=OTHER[:1], max_new_tokens=3, past_key_values=inner)
        return scores

    with METHOD(model) as run:
        expected = model.generate(**inputs, max_new_tokens=TOKENS)
    with METHOD(model) as branched, torch.no_grad():
        cache = model(input_ids=OTHER[:1], use_cache=True).past_key_values
        out = model.generate(**inputs, max_new_tokens=TOKENS, logits_processor=[beside])
    assert torch.equal(out, expected)
    assert torch.equal(branched.rates, run.rates)
    assert branched.report() == run.report()
    assert len(branched.branches) == 1 + TOKENS


def test_turns_of_a_chat_are_texts_all():
    model, inputs = zoo.build("llama")
    cache = DynamicCache(config=model.config)
    with METHOD(model) as run:
        ids = model.generate(**inputs, max_new_tokens=4, past_key_values=cache)
        model.generate(**inputs, max_new_tokens=3)
        model.generate(input_ids=torch.cat((ids, OTHER[:1]), 1), max_new_tokens=5, past_key_values=cache)
    assert [len(generation["rates"]) for generation in run.generations] == [3, 2, 4]


def test_guidance_in_a_compiled_model_is_refused(monkeypatch):
    """Compiled passes cannot be told apart by their cache, so a branch's would be taken for the text's."""
    model, inputs = zoo.build("llama")
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with KVSmooth(**MOVING)(model), pytest.raises(Unsupported, match="branches of guidance apart in a compiled model; run the model unc"):
        model.generate(**inputs, max_new_tokens=3, guidance_scale=2.0)
