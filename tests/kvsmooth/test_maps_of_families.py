"""Statistics without maps against the maps of eager attention, in every family."""

import pytest
import torch

from kvsmooth.decoding.attention import decoder_of, owned_attention
from kvsmooth.map_statistics import map_statistics
from tests.kvsmooth.maps import assert_equal, of_maps
from tests.rounding import ZOO, assert_close
from tests.zoo import FAMILIES, build


def attended(name, attn):
    """What every layer's attention of one forward pass received, and eager attention's maps of the same pass."""
    model, inputs = build(name, attn="eager", seed=0, batch=2)
    with torch.no_grad():
        told = model(**inputs, output_attentions=True)
    maps = getattr(told, "language_model_outputs", told).attentions
    model, inputs = build(name, attn=attn, seed=0, batch=2)
    calls = []

    def watch(found):
        def attention(module, query, key, value, attention_mask, **options):
            calls.append((query, key, attention_mask, options))
            return found(module, query, key, value, attention_mask, **options)

        return attention

    with owned_attention(model, decoder_of(model), watch), torch.no_grad():
        model(**inputs)
    return calls, maps, inputs["attention_mask"]


def assert_layers_equal_eager_maps(name, attn):
    calls, maps, tokens = attended(name, attn)
    assert len(calls) == len(maps)
    for (query, key, mask, options), layer in zip(calls, maps, strict=True):
        padded = torch.zeros_like(tokens, dtype=torch.bool)
        if mask is not None and mask.dim() == 4:
            hidden = ~mask if mask.dtype == torch.bool else mask <= torch.finfo(mask.dtype).min / 2
            padded = hidden.all(-1).all(1)  # eager attention gives these uniform rows
        groups = torch.arange(key.shape[2]).expand(2, -1) % 3
        found = map_statistics(query, key, mask, scaling=options["scaling"], softcap=options.get("softcap"), groups=groups, chunk=5)
        scores = layer.double().log()
        expected = of_maps(layer.double(), scores, groups, torch.ones(tokens.shape).double(), padded)
        del expected["logsumexp"]  # a map no longer knows it
        assert_equal(found, expected, ZOO)


@pytest.mark.parametrize("name", ["llava", "gemma3"])
@pytest.mark.parametrize("attn", ["eager", "sdpa"])
def test_equals_the_maps_of_eager_attention(name, attn):
    assert_layers_equal_eager_maps(name, attn)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"llava", "gemma3"}))
@pytest.mark.parametrize("attn", ["eager", "sdpa"])
def test_every_family_equals_the_maps_of_eager_attention(name, attn):
    assert_layers_equal_eager_maps(name, attn)


def test_the_rule_equals_the_mask_that_attention_receives():
    calls, _, tokens = attended("llava", "eager")
    for query, key, mask, options in calls:
        by_rule = map_statistics(query, key, tokens, scaling=options["scaling"], window=options.get("sliding_window"))
        whole = map_statistics(query, key, mask, scaling=options["scaling"])
        for values, others in zip(vars(by_rule).values(), vars(whole).values(), strict=True):
            assert_close(values, others)
