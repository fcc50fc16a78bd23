"""Options that must change nothing change nothing."""

import contextlib
import functools

import pytest
import torch

from kvsmooth import KVSmooth
from kvsmooth.mixes import MIXES
from kvsmooth.policies import Constant
from kvsmooth.sinks import TagVariance, VisualSink
from tests import zoo
from tests.kvsmooth.cases import FAMILIES, shared
from tests.kvsmooth.reference import smoothed
from tests.rounding import SUM, assert_close

NEUTRAL = {"lambda_ref": 0.0, "margin": 0.0, "layers": (0, 1, 2)}


TOKENS = 5


@functools.cache
def plain(name, attn):
    model, inputs = shared(name, attn, 2)
    out = model.generate(**inputs, max_new_tokens=TOKENS, return_dict_in_generate=True, output_logits=True)
    return torch.stack(out.logits), out.sequences


@pytest.mark.parametrize("attn", ["sdpa", "eager"])
@pytest.mark.parametrize("name", [*FAMILIES, *zoo.ALSO])
def test_neutral_options_are_the_identity(name, attn):
    logits, sequences = plain(name, attn)
    exact, run, _ = smoothed(name, KVSmooth(**NEUTRAL), 2, TOKENS, attn=attn)
    assert torch.equal(exact, logits)
    assert run.rates.eq(0).all()
    assert run.change_keys.eq(0).all()
    assert run.change_values.eq(0).all()
    _, _, fast = smoothed(name, KVSmooth(**NEUTRAL, exact=False), 2, TOKENS, attn=attn)
    assert torch.equal(fast, sequences)


@pytest.mark.parametrize(
    "change",
    [
        {"timing": "recompute"},
        {"output": True},
        {"previous": "raw", "rope": "before"},
        {"heads": "per_head"},
        {"policy": Constant(0.0), "lambda_ref": 0.9},
        {"mix": "norm_preserving", "output": True},
        {"mix": "shrink_only", "previous": "raw"},
        {"mix": "random_direction"},
        {"mix": "running_mean", "rope": "before"},
        {"score": VisualSink(), "heads": "per_head"},
        {"score": TagVariance()},
    ],
    ids=str,
)
def test_every_place_of_smoothing_is_neutral_at_rate_zero(change):
    logits, _ = plain("llava", "sdpa")
    ours, _, _ = smoothed("llava", KVSmooth(**{**NEUTRAL, **change}), 2, TOKENS)
    assert torch.equal(ours, logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_neutral_is_the_identity_in_half_precision(dtype):
    model, inputs = zoo.build("llava", batch=2)
    model.to(dtype)
    inputs["pixel_values"] = inputs["pixel_values"].to(dtype)
    generation = {"max_new_tokens": 6, "return_dict_in_generate": True, "output_logits": True}
    expected = torch.stack(model.generate(**inputs, **generation).logits)
    for mix in MIXES:
        with KVSmooth(**NEUTRAL, mix=mix)(model):
            ours = torch.stack(model.generate(**inputs, **generation).logits)
        assert torch.equal(ours, expected)
    with KVSmooth(layers=range(3))(model) as run:
        model.generate(**inputs, **generation)
    assert run.rates.dtype == torch.float32
    assert run.change_keys.gt(0).all()


def test_half_precision_scores_are_those_of_single_precision():
    """The row is computed in float32, so its entropy is exact for the queries and keys that the model holds."""
    from kvsmooth.measures import newest_row_probabilities, row_entropy

    query, key = 8 * torch.randn(2, 4, 1, 16), 8 * torch.randn(2, 2, 60, 16)
    low = query.bfloat16(), key.bfloat16()
    exact = row_entropy(newest_row_probabilities(low[0].double().float(), low[1].double().float()))
    assert_close(row_entropy(newest_row_probabilities(*low)), exact, SUM)


def masks_received(model, inputs, block):
    """The attention mask that each decoder layer gets, prompt pass and decode step."""
    masks, handles = [], []
    for layer in zoo.decoder_of(model).layers:
        hook = layer.self_attn.register_forward_pre_hook(lambda m, args, kwargs: masks.append(kwargs["attention_mask"]), with_kwargs=True)
        handles.append(hook)
    with block:
        model.generate(**inputs, max_new_tokens=2)
    for handle in handles:
        handle.remove()
    return masks


@pytest.mark.parametrize("attn", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["llava", "paligemma", "gemma3", "instructblip", "mistral"])
def test_masks_are_those_of_the_implementation_found(name, attn):
    model, inputs = shared(name, attn, 2)
    plain_masks = masks_received(model, inputs, contextlib.nullcontext())
    ours = masks_received(model, inputs, KVSmooth(**NEUTRAL)(model))
    assert len(ours) == len(plain_masks) == 2 * len(zoo.decoder_of(model).layers)
    for mine, found in zip(ours, plain_masks, strict=True):
        assert (mine is None and found is None) or (mine.dtype == found.dtype and torch.equal(mine, found))


def test_attention_weights_of_eager_are_still_returned():
    model, inputs = zoo.build("llava", attn="eager")
    expected = model.generate(**inputs, max_new_tokens=3, return_dict_in_generate=True, output_attentions=True).attentions
    for exact in (True, False):
        with KVSmooth(**NEUTRAL, exact=exact)(model):
            ours = model.generate(**inputs, max_new_tokens=3, return_dict_in_generate=True, output_attentions=True).attentions
        for step, expected_step in zip(ours, expected, strict=True):
            for weights, expected_weights in zip(step, expected_step, strict=True):
                assert_close(weights, expected_weights)
