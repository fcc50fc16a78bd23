"""A detector that drives the method sees while decoding what it names, as it is: against the model's own outputs."""

import dataclasses

import pytest
import torch
from transformers import DynamicCache

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.policies import Constant
from kvsmooth.sinks import SINKS, Punctuation, RowEntropy, View
from kvsmooth.sinks.prompt import prompt_statistics
from tests import zoo
from tests.kvsmooth.cases import MOVING, assert_beams_equal_beams_by_hand, one_row, shared
from tests.kvsmooth.reference import smoothed
from tests.rounding import assert_close

PARTS = ("probabilities", "logits", "keys", "values", "key", "value", "hidden", "prompt", "tokens")
STEPS = 3
LIVE = sorted(name for name, sink in SINKS.items() if sink.known != "later")
KINDS = ("row_entropy", "visual_sink", "key_outlier", "tag_variance", "punctuation")  # one for each kind of part that is seen
MOSTLY_SLOW = [pytest.param(name, marks=() if name in KINDS else pytest.mark.slow) for name in LIVE]
FAST = ("llava", "gemma3")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in zoo.FAMILIES if name not in FAST]
# sliding windows, positions of several sections, a prefix seen from both sides, a hole in the mask
MASKS = [pytest.param(name, marks=pytest.mark.slow) for name in ("mistral", "qwen3_vl", "paligemma", "blip2_opt")]


class Spy:
    """Needs everything, keeps what it sees, and scores by the largest probability."""

    known = "step"

    def __init__(self, *needs):
        self.needs, self.seen = frozenset(needs or PARTS), []

    def __call__(self, seen):
        self.seen.append(seen)
        return seen.probabilities.amax(-1)


def detector(name):
    return Punctuation(tuple(range(0, zoo.VOCABULARY, 3))) if name == "punctuation" else SINKS[name]()


def watched(name, batch=2, attn="eager", exact=True, static=False, **outputs):
    """The spy's views by (step, layer), the model's own outputs, its inputs and its cache, at rates of zero."""
    model, inputs = zoo.build(name, attn=attn, batch=batch)
    layers = range(len(zoo.decoder_of(model).layers))
    spy = Spy()
    # one layer at a time, so that views come in the order of layers
    method = KVSmooth(layers=layers, policy=Constant(0.0), score=spy, timing="recompute", exact=exact)
    generation = {"cache_implementation": "static"} if static else {}
    prompt = {}  # what some families add to the states between two layers is in no output of theirs

    def keep(layer):
        def before_layer(module, args, kwargs):
            prompt.setdefault(layer, args[0] if args else kwargs["hidden_states"])

        return before_layer

    for layer in layers:
        zoo.decoder_of(model).layers[layer].register_forward_pre_hook(keep(layer), with_kwargs=True)
    with method(model):
        out = model.generate(**inputs, max_new_tokens=STEPS + 1, return_dict_in_generate=True, **generation, **outputs)
    assert len(spy.seen) == STEPS * len(layers)
    views = {(step, layer): spy.seen[step * len(layers) + layer] for step in range(STEPS) for layer in layers}
    return views, out, inputs, prompt


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_every_part_is_what_the_model_computed(name):
    assert_parts_are_the_model_s(name, True)


def test_every_part_is_what_the_model_computed_on_the_fast_path():
    assert_parts_are_the_model_s("llava", False)


def assert_parts_are_the_model_s(name, exact):
    views, out, inputs, prompt = watched(name, exact=exact, output_attentions=True, output_hidden_states=True)
    generated = out.sequences[:, -STEPS - 1 :]
    mask = inputs["attention_mask"].bool()
    for (step, layer), seen in views.items():
        weights = out.attentions[step + 1][layer]  # "row head 1 key"
        keys = weights.shape[-1]
        assert_close(seen.probabilities[0], weights)
        assert_close(seen.logits[0].softmax(-1), weights)
        hidden = torch.cat((mask, mask.new_ones(2, step + 1)), 1)[:, -keys:].logical_not()
        assert seen.logits[0].isneginf().eq(hidden[:, None, None]).all()
        assert seen.visible is None or seen.visible.eq(~hidden).all()
        assert_close(seen.hidden[0], out.hidden_states[step + 1][layer])
        assert torch.equal(seen.tokens, generated[:, step, None])
        cached = out.past_key_values.layers[layer]
        # the cache at the end holds this step's states before those of later steps
        later = STEPS - 1 - step
        ends = cached.keys.shape[2] - later
        if ends > 0:
            for now, own, whole in ((seen.keys, seen.key, cached.keys), (seen.values, seen.value, cached.values)):
                assert torch.equal(own[0, :, :, 0], whole[:, :, ends - 1])
                assert torch.equal(now[0][:, :, -min(ends, keys) :], whole[:, :, max(0, ends - keys) : ends])
        expected = prompt_statistics(prompt[layer], mask)
        for part in dataclasses.fields(expected):
            assert_close(getattr(seen.prompt, part.name).float(), getattr(expected, part.name).float())


@pytest.mark.parametrize("name", [*FAST, *MASKS])
def test_sdpa_and_a_static_cache_show_the_same(name):
    eager, *_ = watched(name)
    for static in (False, True):
        other, *_ = watched(name, attn="sdpa", static=static)
        for place, seen in eager.items():
            for part in ("key", "value", "hidden", "tokens"):
                assert_close(getattr(other[place], part), getattr(seen, part))
            for part, axis in (("probabilities", 4), ("logits", 4), ("keys", 3), ("values", 3)):
                for row in range(2):
                    assert_close(visible_part(other[place], part, axis, row), visible_part(seen, part, axis, row))


def visible_part(seen, part, axis, row):
    """A part at positions that hold a token: padding, and the room of a static cache, may hold anything."""
    states = getattr(seen, part)
    return states if seen.visible is None else states[:, row].index_select(axis - 1, seen.visible[row].nonzero()[:, 0])


@pytest.mark.parametrize("name", MOSTLY_SLOW)
def test_a_live_detector_scores_a_padded_batch_as_its_rows_alone_and_on_every_cache(name):
    assert_batches_and_caches_agree("llava", name)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gemma3", "blip2_opt"])
@pytest.mark.parametrize("name", KINDS)
def test_a_live_detector_agrees_on_other_families(name, family):
    assert_batches_and_caches_agree(family, name)


def assert_batches_and_caches_agree(family, name):
    """At rates of zero scores of equal rank cannot lead texts apart."""
    method = KVSmooth(layers=(0, 1, 2), policy=Constant(0.0), score=detector(name))
    _, run, _ = smoothed(family, method, 2, tokens=4)
    assert run.entropies.isfinite().all()
    _, static, _ = smoothed(family, method, 2, tokens=4, cache_implementation="static")
    _, fast, _ = smoothed(family, dataclasses.replace(method, exact=False), 2, tokens=4)
    assert_close(static.entropies, run.entropies)
    assert_close(fast.entropies, run.entropies)
    model, inputs = shared(family, batch=2)
    for row in range(2):
        with method(model) as alone:
            model.generate(**one_row(inputs, row), max_new_tokens=4)
        assert_close(alone.entropies[:, :, 0], run.entropies[:, :, row])


@pytest.mark.parametrize("name", MOSTLY_SLOW)
def test_a_live_detector_serves_every_choice_of_heads(name):
    for heads in ("per_head", "mean_row"):
        if (name, heads) == ("tag_variance", "mean_row"):
            with pytest.raises(Unsupported, match=r'KVSmooth.heads must not be "mean_row" for TagVariance'):
                KVSmooth(score=detector(name), heads=heads)
            continue
        _, run, _ = smoothed("llava", KVSmooth(**MOVING, score=detector(name), heads=heads), 2, tokens=3)
        assert run.rates.shape == (2, 3, 2)
        assert run.entropies.isfinite().all()


def test_key_value_heads_are_given_to_their_query_heads():
    class ByKeyHead(Spy):
        def __call__(self, seen):
            return seen.key.sum(-1)

    class ByQueryHead(Spy):
        def __call__(self, seen):
            return seen.key.sum(-1).repeat_interleave(2, 2)

    class ForAll(Spy):
        def __call__(self, seen):
            return seen.key.sum((2, -1))[:, :, None]

    class ForEach(Spy):
        def __call__(self, seen):
            return seen.key.sum((2, -1))[:, :, None].expand(-1, -1, 4, -1)

    for narrow, wide in ((ByKeyHead, ByQueryHead), (ForAll, ForEach)):
        runs = [smoothed("llava", KVSmooth(**MOVING, score=score("key"), heads="per_head"), 2) for score in (narrow, wide)]
        assert torch.equal(runs[0][0], runs[1][0])
        assert torch.equal(runs[0][1].rates, runs[1][1].rates)


@pytest.mark.parametrize(
    "name", ["visual_sink", *(pytest.param(name, marks=pytest.mark.slow) for name in ("key_outlier", "punctuation", "sink_gap"))]
)
def test_beams_with_a_live_detector_equal_beams_by_hand(name):
    assert_beams_equal_beams_by_hand("llava", KVSmooth(**MOVING, score=detector(name)), None, 2)


def test_prompt_statistics_of_a_prompt_in_chunks():
    runs = [
        smoothed("llama", KVSmooth(**MOVING, score=detector("bos_cosine")), 2, **chunks)[1] for chunks in ({}, {"prefill_chunk_size": 4})
    ]
    assert_close(runs[1].entropies, runs[0].entropies)


def test_the_method_gives_a_function_without_needs_the_probabilities_only():
    seen = []

    def score(view):
        seen.append(view)
        return view.probabilities.amax(-1)

    _, run, _ = smoothed("llava", KVSmooth(**MOVING, score=score))
    assert run.rates.shape == (7, 3, 1)
    given = {part.name for part in dataclasses.fields(View) if getattr(seen[0], part.name) is not None}
    assert given <= {"probabilities", "visible"}
    assert KVSmooth(score=score).describe()["score"]["name"].endswith("score")


def test_nothing_is_installed_that_no_detector_needs():
    model, inputs = zoo.build("llava")
    model.generate(**inputs, max_new_tokens=2)

    def hooks():
        return sum(len(module._forward_pre_hooks) for module in model.modules())

    before = hooks()
    with KVSmooth(layers=(0, 1))(model):
        model.generate(**inputs, max_new_tokens=2)
        default = hooks()
    with KVSmooth(layers=(0, 1), score=detector("visual_sink"))(model):
        model.generate(**inputs, max_new_tokens=2)
        assert hooks() == default + 2  # two layers; the model itself is always watched, for the rows that have ended
    assert hooks() == before


@pytest.mark.parametrize("name", sorted(set(SINKS) - set(LIVE)))
def test_a_detector_known_later_is_refused_at_once(name):
    with pytest.raises(Unsupported, match=r"KVSmooth.score must be known by the token's own step; got .*, which only later queries tell"):
        KVSmooth(score=SINKS[name]())


def test_needs_that_nobody_knows_are_refused_at_once():
    with pytest.raises(Unsupported, match=r"KVSmooth.score may need parts of View; Spy needs gradients"):
        KVSmooth(score=Spy("gradients"))


def test_what_was_not_seen_is_refused_in_one_line():
    model, inputs = zoo.build("llama")
    ids, embed, decoder = inputs["input_ids"], model.get_input_embeddings(), zoo.decoder_of(model)
    needs_prompt = KVSmooth(layers=(0, 1), score=detector("bos_cosine"))
    needs_tokens = KVSmooth(layers=(0, 1), score=detector("punctuation"))
    with torch.no_grad():
        for turn in (1, 3):  # a decode step at once, or a second prompt
            cache = model(**inputs, use_cache=True).past_key_values
            with needs_prompt(model), pytest.raises(Unsupported, match="run the prompt inside the `with`, from an empty cache"):
                decode(model, cache, ids[:, :turn], ids[:, :1])
        with needs_tokens(model):
            cache = decoder(inputs_embeds=embed(ids), past_key_values=DynamicCache()).past_key_values
            with pytest.raises(Unsupported, match="got embeddings only: pass input_ids to the model"):
                decoder(inputs_embeds=embed(ids[:, :1]), past_key_values=cache)
        with needs_prompt(model), pytest.raises(Unsupported, match=r"needs the attention_mask of all 11 positions .* got shape \(1, 8\)"):
            model(input_ids=ids, attention_mask=torch.ones(1, 8), use_cache=True)


def decode(model, cache, *pieces):
    """Feed pieces of tokens to a cache."""
    for piece in pieces:
        model(input_ids=piece, past_key_values=cache)


def test_a_loop_of_ones_own_feeds_a_detector_too():
    method = KVSmooth(**MOVING, score=Spy())
    _, run, sequences = smoothed("llava", method)
    model, inputs = zoo.build("llava")
    with method(model) as by_hand, torch.no_grad():
        cache = model(**inputs, use_cache=True).past_key_values
        for token in sequences[0, -8:-1]:
            model(input_ids=token.view(1, 1), past_key_values=cache)
    assert_close(by_hand.entropies, run.entropies)


def test_the_default_detector_is_still_the_paper_s():
    assert KVSmooth().score == RowEntropy()
