"""Methods on attention scores equal their slow references, and raise or lower what is seen of the image as they say."""

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import METHODS, PAI, ImageBias
from kvsmooth.measures import row_entropy
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, forced, in_batch, in_turn, pairs, said, shared, strong
from tests.kvsmooth.baselines.scores_reference import RULES, slowly
from tests.rounding import assert_close


def layers_of(model, method):
    return range(len(zoo.decoder_of(model).layers)) if method.layers is None else method.layers


@pytest.mark.parametrize(("method", "family", "attn"), in_turn(pairs(methods=RULES)))
def test_a_method_equals_its_slow_reference(method, family, attn):
    ours, tokens, _ = in_batch(method, family, attn)
    slow, inputs = shared(family, "eager", 2)
    with slowly(slow, strong(method), inputs, layers_of(slow, strong(method))):
        expected = forced(slow, inputs, tokens)
    assert_close(ours, expected)


@pytest.mark.parametrize("method", RULES)
def test_receipts_tell_the_mass_of_the_image(method):
    """Measured by the method itself; here from the weights that eager attention hands out."""
    model, inputs = zoo.build("llava", attn="eager")
    chosen = METHODS[method](**({"alpha": 0.7} if method in ("pai", "middle_layer") else {}))
    with chosen(model) as run:
        out = model.generate(**inputs, max_new_tokens=2, output_attentions=True, return_dict_in_generate=True)
    image = inputs["input_ids"][0].eq(zoo.IMAGE)
    layers = {"image_bias": (0, 1, 2), "pai": (2,), "middle_layer": (0, 1), "vaf": (1,)}[method]
    mass = [out.attentions[1][layer][0, :, -1, : len(image)][:, image].sum(-1) for layer in layers]
    report = run.report()
    assert report["image_mass"] == pytest.approx(float(torch.stack(mass).mean()), abs=1e-5)
    assert method == "vaf" or report["image_mass"] > report["image_mass_without"] + 0.02


@pytest.mark.parametrize("cache", ["static", None])
@pytest.mark.parametrize("method", RULES)
def test_a_static_cache_gives_the_same(method, cache):
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch(method, "llava")
    other, _, _ = said(model, inputs, strong(method), cache_implementation=cache, disable_compile=True)
    assert_close(other, ours)


def test_chunks_of_a_prompt_give_the_same():
    model, inputs = shared("llava", batch=2)
    for method in RULES:
        ours, _, _ = in_batch(method, "llava")
        assert_close(said(model, inputs, strong(method), prefill_chunk_size=4)[0], ours)


def test_kvsmooth_scores_the_row_that_a_method_made():
    model, inputs = zoo.build("llava", attn="eager", batch=2)
    pai = PAI(alpha=0.9, layers=ALL)
    expected, tokens, _ = said(model, inputs, pai)
    with pai(model):
        seen = model.generate(**inputs, max_new_tokens=2, output_attentions=True, return_dict_in_generate=True).attentions[1]
    with KVSmooth(lambda_ref=0.0, margin=0.0, layers=ALL)(model) as smoothed:
        ours, own, run = said(model, inputs, pai)
    assert torch.equal(own, tokens)
    assert_close(ours, expected)
    assert run.report()["steps"] == 5
    assert_close(smoothed.entropies[0], torch.stack([row_entropy(weights[:, :, -1]).mean(1) for weights in seen]))


def test_methods_of_scores_add_up():
    model, inputs = zoo.build("llava", batch=2)
    expected, _, _ = said(model, inputs, ImageBias(1.5))
    with ImageBias(1.0)(model):
        ours, _, _ = said(model, inputs, ImageBias(0.5))
    assert_close(ours, expected)


def test_kvsmooth_within_a_method_is_told_to_be_opened_first():
    model, _ = zoo.build("llava")
    with PAI()(model), pytest.raises(Unsupported, match="cannot be nested in another method"), KVSmooth(layers=ALL)(model):
        pass


def test_strengths_by_head_must_be_as_many_as_heads():
    model, _ = zoo.build("llava")
    with pytest.raises(Unsupported, match="one number or 4"), ImageBias((1.0, 2.0))(model):
        pass


def test_strengths_by_layer_are_one_block_for_each_layer():
    model, inputs = zoo.build("llava", batch=2)
    low, high = (2.0, -1.0, 0.5, 3.0), (0.0, 1.0, -2.0, 0.5)
    ours, tokens, _ = said(model, inputs, ImageBias((low, high), layers=(0, 2)))
    with ImageBias(low, layers=(0,))(model):
        assert_close(forced(model, inputs, tokens, ImageBias(high, layers=(2,))), ours)
    assert not torch.equal(forced(model, inputs, tokens, ImageBias((high, low), layers=(0, 2))), ours)
    assert ImageBias(((0.0,), (0.0,))).neutral
    assert not ImageBias(((0.0,), (1.0,))).neutral


@pytest.mark.parametrize(
    ("method", "told"),
    [
        (ImageBias(((1.0,) * 4,)), "for each of 3 layers; got 1"),
        (ImageBias(((1.0,) * 4, (1.0,) * 3, (1.0,) * 4)), "one number or 4"),
    ],
)
def test_strengths_by_layer_must_be_as_many_as_layers_and_heads(method, told):
    model, _ = zoo.build("llava")
    with pytest.raises(Unsupported, match=told), method(model):
        pass


@pytest.mark.parametrize("strength", [((1.0, 2.0), 3.0), ((),), ((1.0,), ()), ((float("inf"),),), ()])
def test_strengths_that_are_no_numbers_are_refused(strength):
    with pytest.raises(ValueError, match="must be a number, one for each query head, or these for each layer"):
        ImageBias(strength)
