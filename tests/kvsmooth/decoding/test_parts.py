"""What a detector and a policy are given at a step: the parts that they ask for, as one pass over the whole text shows them afterwards."""

import functools

import pytest
import torch
from transformers import DynamicCache

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.sinks import VisualSink
from kvsmooth.sinks.prompt import prompt_statistics
from tests import zoo
from tests.kvsmooth.cases import MOVING
from tests.rounding import assert_close

STEPS, LAYERS, ROWS = 3, 3, 2


class Watching:
    """A detector that keeps what it is shown, and finds all tokens alike."""

    known = "step"

    def __init__(self, *needs, rows=ROWS):
        self.needs, self.rows, self.views = frozenset(needs), rows, []

    def __call__(self, seen):
        self.views.append(seen)
        layers = LAYERS if seen.keys is None else len(seen.keys)
        return torch.zeros(layers, self.rows, 1, 1)

    def step(self, name, number):
        """A part at a step, of all layers."""
        views = len(self.views) // STEPS
        return torch.cat([getattr(seen, name) for seen in self.views[number * views : (number + 1) * views]])


def watched(*needs, heads="mean", exact=True, attn="sdpa", **generation):
    model, inputs = zoo.build("llama", batch=ROWS, attn=attn)
    detector = Watching(*needs)
    with KVSmooth(lambda_ref=0.0, margin=0.0, layers=range(LAYERS), score=detector, heads=heads, exact=exact)(model):
        out = model.generate(**inputs, max_new_tokens=STEPS + 1, **generation)
    assert torch.equal(out, said()[0])
    return detector


@functools.cache
def said():
    """The text, its mask, and what one pass without the method makes of it."""
    model, inputs = zoo.build("llama", batch=ROWS, attn="eager")
    ids = model.generate(**inputs, max_new_tokens=STEPS + 1)
    mask = torch.nn.functional.pad(inputs["attention_mask"], (0, STEPS + 1), value=1)
    with torch.no_grad():
        positions = (mask.cumsum(1) - 1).clamp_min(0)
        whole = model(input_ids=ids, attention_mask=mask, position_ids=positions, output_attentions=True, output_hidden_states=True)
    return ids, mask, whole, inputs["input_ids"].shape[1]


@pytest.mark.parametrize(("exact", "attn"), [(True, "sdpa"), (True, "eager"), (False, "sdpa")], ids=["sdpa", "eager", "explicit"])
@pytest.mark.parametrize("heads", ["mean", "mean_row"])
@pytest.mark.parametrize("needs", ["probabilities", "logits"])
def test_rows_of_attention(needs, heads, exact, attn):
    detector = watched(needs, heads=heads, exact=exact, attn=attn)
    _, mask, whole, start = said()
    for step in range(STEPS):
        keys = start + step + 1
        rows = torch.stack([attention[:, :, keys - 1 : keys, :keys] for attention in whole.attentions])
        rows = rows.mean(2, keepdim=True) if heads == "mean_row" else rows
        found = detector.step(needs, step)
        assert_close(found if needs == "probabilities" else found.softmax(-1), rows)
        if needs == "logits":
            assert torch.equal(found.isneginf(), mask[:, None, None, :keys].eq(0).expand_as(found[0])[None].expand_as(found))
        assert torch.equal(detector.views[step].visible, mask[:, :keys].bool())


@pytest.mark.parametrize("cache", [None, "static"])
def test_states_of_the_token_and_of_all_before_it(cache):
    detector = watched("key", "value", "keys", "values", "hidden", "tokens", cache_implementation=cache)
    ids, _, whole, start = said()
    layers = whole.past_key_values.layers
    for step in range(STEPS):
        newest = start + step
        for name, states in (("key", [layer.keys for layer in layers]), ("value", [layer.values for layer in layers])):
            states = torch.stack(states)
            assert_close(detector.step(name, step), states[:, :, :, newest : newest + 1])
            # padded places of a cache hold what a padded query made, which nobody reads
            row = detector.step(f"{name}s", step)[:, 0, :, : newest + 1]
            assert_close(row, states[:, 0, :, : newest + 1])
        assert_close(detector.step("hidden", step), torch.stack(whole.hidden_states[:-1])[:, :, newest : newest + 1])
        for seen in detector.views[step * LAYERS : (step + 1) * LAYERS]:
            assert torch.equal(seen.tokens, ids[:, newest : newest + 1])


@pytest.mark.parametrize("chunk", [None, 4])
def test_what_is_kept_of_a_prompt(chunk):
    detector = watched("prompt", prefill_chunk_size=chunk)
    _, mask, whole, start = said()
    for step in range(STEPS):
        seen = detector.views[step].prompt
        for layer, hidden in enumerate(whole.hidden_states[:-1]):
            expected = prompt_statistics(hidden[:, :start], mask[:, :start].bool())
            for name in ("first", "norm", "magnitude"):
                assert_close(getattr(seen, name)[layer], getattr(expected, name)[0])
            assert torch.equal(seen.massive[layer], expected.massive[0])


def test_what_nobody_asked_for_is_not_there():
    for needs in ("probabilities", "hidden", "key"):
        for seen in watched(needs).views:
            assert {name for name, part in vars(seen).items() if part is not None} == {needs, "visible"}


def test_logits_where_no_mask_is_given():
    model, inputs = zoo.build("llama")
    detector = Watching("logits", rows=1)
    with KVSmooth(lambda_ref=0.0, margin=0.0, layers=range(LAYERS), score=detector)(model):
        model.generate(inputs["input_ids"], max_new_tokens=STEPS + 1)
    ids, _, whole, start = said()
    assert torch.equal(ids[:1, :start], inputs["input_ids"])
    for step in range(STEPS):
        keys = start + step + 1
        rows = torch.stack([attention[:1, :, keys - 1 : keys, :keys] for attention in whole.attentions])
        assert_close(detector.step("logits", step).softmax(-1), rows)


def test_a_score_of_another_shape_is_told_the_law():
    model, inputs = zoo.build("llama", batch=ROWS)
    for score, got in ((lambda seen: seen.probabilities[:, :, :3].amax(-1), r"\(3, 2, 3, 1\)"), (lambda seen: 1.0, r"\(\)")):
        told = rf"layer row head token\" = \(3, 2\), a number of heads that divides 4, 1; got {got}\.$"
        with KVSmooth(**MOVING, score=score)(model), pytest.raises(Unsupported, match=told):
            model.generate(**inputs, max_new_tokens=3)


def test_a_prompt_that_nobody_saw_has_no_statistics():
    model, inputs = zoo.build("llama")
    with torch.no_grad():
        cache = model(**inputs, use_cache=True).past_key_values
        with KVSmooth(**MOVING, score=VisualSink())(model), pytest.raises(Unsupported, match="from an empty cache"):
            model(input_ids=torch.tensor([[7]]), past_key_values=cache)


class Remembering:
    """A policy, and its own state, that keeps the tokens it is given."""

    name, two_pass, needs_tokens = "remembering", False, True

    def __init__(self, rate=lambda scores: torch.full_like(scores, 0.5)):
        self.rate, self.fed = rate, []

    def start(self, setting):
        return self

    def push(self, scores, tokens=None):
        self.fed.append(tokens)
        return self.rate(scores)

    def reorder(self, rows):
        """Nothing is kept by row."""


def test_a_policy_is_given_the_tokens_and_they_must_be_known():
    model, inputs = zoo.build("llama", batch=ROWS)
    policy = Remembering()
    with KVSmooth(**MOVING, policy=policy)(model):
        ids = model.generate(**inputs, max_new_tokens=STEPS + 1)
    assert torch.equal(torch.stack(policy.fed, 1), ids[:, -STEPS - 1 : -1])
    decoder, embed = zoo.decoder_of(model), model.get_input_embeddings()
    told = r"^KVSmooth needs the ids of the tokens fed while decoding; got embeddings only: pass input_ids to the model\.$"
    with KVSmooth(**MOVING, policy=policy)(model), torch.no_grad():
        cache = DynamicCache(config=model.config)
        decoder(inputs_embeds=embed(inputs["input_ids"]), past_key_values=cache)
        decoder(input_ids=ids[:, -1:], past_key_values=cache)
        assert torch.equal(policy.fed[-1], ids[:, -1]), "the decoder's own call tells them too"
        with pytest.raises(Unsupported, match=told):
            model(inputs_embeds=embed(ids[:, -1:]), past_key_values=cache)


def test_a_policy_whose_rates_do_not_fit_is_named():
    model, inputs = zoo.build("llama", batch=ROWS)
    with (
        KVSmooth(**MOVING, policy=Remembering(lambda scores: scores[:1]))(model),
        pytest.raises(Unsupported, match=r"in the scores' shape; got Remembering: rates \(1, 2\) for scores \(3, 2\)\.$"),
    ):
        model.generate(**inputs, max_new_tokens=3)
