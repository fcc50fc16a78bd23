"""Statistics without maps against float64 maps that are written out, and against the maps of eager attention in every family."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kvsmooth import Unsupported
from kvsmooth.attention import decoder_of, owned_attention
from kvsmooth.flash_entropy import flash_entropy
from kvsmooth.map_statistics import MapStatistics, map_statistics
from kvsmooth.visibility import Visibility
from tests.zoo import FAMILIES, build

law = settings(deadline=None, max_examples=25)
BOUND = {"entropy": 1e-5, "mass": 5e-6, "column_sums": 5e-6, "second_moment": 5e-6, "max_probability": 5e-6, "logsumexp": 2e-5}
"""Measured: scores of a standard deviation up to 2 and a sink 10 above, up to 1024 keys; the largest error seen was half of these."""


def visible_by_rule(rows, queries, keys, mask, causal, window):
    """Which query sees which key, one at a time."""
    seen = torch.zeros(rows, 1, queries, keys, dtype=torch.bool)
    for row in range(rows):
        for query in range(queries):
            place = keys - queries + query
            for key in range(keys):
                late, far = causal and key > place, window is not None and key <= place - window
                seen[row, 0, query, key] = not (late or far) and (mask is None or bool(mask[row, key]))
    return seen


def of_maps(maps, scores, groups, weights, padded):
    """The statistics of float64 probabilities "row head query key", by the formulas that define them."""
    maps = maps.masked_fill(padded[:, None, :, None], 0)
    count = 0 if groups is None else int(groups.max()) + 1
    return {
        "entropy": -(maps * maps.clamp_min(1e-300).log()).sum(-1),
        "mass": torch.stack([(maps * (groups == group)[:, None, None]).sum(-1) for group in range(count)], -1)
        if count
        else maps.new_zeros(*maps.shape[:3], 0),
        "column_sums": (maps * weights[:, None, :, None]).sum(2),
        "second_moment": (maps**2).sum(-1),
        "max_probability": maps.amax(-1),
        "logsumexp": scores.logsumexp(-1),
    }


def slow(query, key, seen, padded, scaling=None, softcap=None, groups=None, weights=None):
    query, key = query.double(), key.double().repeat_interleave(query.shape[1] // key.shape[1], 1)
    scores = (query.shape[-1] ** -0.5 if scaling is None else scaling) * query @ key.transpose(-1, -2)
    scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~seen, -math.inf).masked_fill(padded[:, None, :, None], -math.inf)
    weights = torch.ones(query.shape[0], query.shape[2]) if weights is None else weights
    return of_maps(scores.softmax(-1).nan_to_num(0), scores, groups, weights.double(), padded)


def assert_close(found: MapStatistics, expected, factor=1.0):
    for name, values in expected.items():
        mine = getattr(found, name)
        assert mine.dtype == torch.float32
        bound = factor * BOUND[name]
        torch.testing.assert_close(mine.double(), values, atol=bound, rtol=bound, msg=lambda told, name=name: f"{name}: {told}")


def drawn(rows, heads, kv, queries, keys, channels=16, sink=0.0, deviation=1.0, dtype=torch.float32):
    query, key = torch.randn(rows, heads, queries, channels), torch.randn(rows, kv, keys, channels)
    along = torch.nn.functional.normalize(torch.randn(channels), dim=0)
    query, key = query * deviation, key.clone()
    query += along * channels**0.5
    key[:, :, 0] += along * sink
    return query.to(dtype), key.to(dtype)


CASES = {
    "plain": {},
    "full": {"causal": False},
    "grouped_heads": {"kv": 2},
    "one_key_head": {"kv": 1},
    "padded": {"pad": 7, "kv": 2},
    "padded_past_a_block": {"pad": 40},
    "hole": {"pad": 7, "hole": True},
    "padded_full": {"pad": 7, "causal": False},
    "after_a_cache": {"queries": 11, "pad": 7},
    "cross": {"queries": 60, "causal": False},
    "cross_padded": {"queries": 60, "pad": 7, "causal": False},
    "nothing_but_padding": {"pad": 50},
    "one_query": {"queries": 1, "pad": 3},
    "window": {"window": 9},
    "window_of_one": {"window": 1},
    "window_padded": {"window": 20, "pad": 7, "kv": 2},
    "window_after_a_cache": {"window": 5, "queries": 30},
    "softcap": {"softcap": 3.0, "kv": 2},
    "softcap_window": {"softcap": 3.0, "window": 12, "pad": 7},
    "scaling": {"scaling": 0.7},
}


def case(queries=50, keys=50, kv=4, pad=0, hole=False, causal=True, window=None, softcap=None, scaling=None, dtype=torch.float32):
    query, key = drawn(2, 4, kv, queries, keys, sink=4.0, dtype=dtype)
    mask = None
    if pad:
        mask = torch.ones(2, keys, dtype=torch.long)
        mask[1, :pad] = 0
        if hole:
            mask[1] = mask[1].roll(5)
    padded = torch.zeros(2, queries, dtype=torch.bool)
    if mask is not None and (causal or queries == keys):
        padded = mask[:, keys - queries :] == 0
    seen = visible_by_rule(2, queries, keys, mask, causal, window)
    more = {"groups": torch.randint(-1, 3, (2, keys)), "weights": torch.rand(2, queries)}
    options = {"causal": causal, "window": window, "softcap": softcap, "scaling": scaling}
    return query, key, mask, options, more, slow(query, key, seen, padded, scaling, softcap, **more), seen, padded


@pytest.mark.parametrize("chunk", [16, 1000])
@pytest.mark.parametrize("name", CASES)
def test_equals_maps_in_double_precision(name, chunk):
    query, key, mask, options, more, expected, _, _ = case(**CASES[name])
    assert_close(map_statistics(query, key, mask, **options, **more, chunk=chunk), expected)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("form", ["boolean", "additive", "additive_half", "additive_by_head"])
def test_a_whole_mask_says_the_same_as_the_rule(name, form):
    query, key, _, options, more, expected, seen, padded = case(**CASES[name])
    seen = seen & ~padded[:, None, :, None]
    dtype = torch.float16 if form == "additive_half" else torch.float32  # whose lowest number is no more than -65504
    mask = seen if form == "boolean" else torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    mask = mask.expand(-1, 4, -1, -1) if form == "additive_by_head" else mask
    options = options | {"causal": True, "window": None}  # not asked
    assert_close(map_statistics(query, key, mask, **options, **more, chunk=16), expected)


def test_an_additive_mask_may_carry_a_bias_of_its_own_for_each_head():
    query, key = drawn(1, 4, 2, 20, 20)
    bias = torch.randn(1, 4, 20, 20).masked_fill(torch.ones(20, 20).triu(1).bool(), -math.inf)
    scores = 16**-0.5 * query.double() @ key.double().repeat_interleave(2, 1).transpose(-1, -2) + bias.double()
    found = map_statistics(query, key, bias, chunk=6)
    assert_close(found, of_maps(scores.softmax(-1), scores, None, torch.ones(1, 20).double(), torch.zeros(1, 20, dtype=torch.bool)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["padded", "window_padded", "softcap"])
def test_rounded_inputs_are_raised_not_rounded_again(name, dtype):
    query, key, mask, options, more, expected, _, _ = case(**CASES[name], dtype=dtype)
    assert_close(map_statistics(query, key, mask, **options, **more, chunk=16), expected)


@pytest.mark.parametrize(("sink", "deviation", "factor"), [(10.0, 2.0, 1.0), (20.0, 2.0, 1.0), (-10.0, 4.0, 4.0)])
def test_error_at_a_thousand_keys(sink, deviation, factor):
    query, key = drawn(1, 4, 2, 1024, 1024, 64, sink, deviation)
    seen, padded = torch.ones(1024, 1024).tril().bool()[None, None], torch.zeros(1, 1024, dtype=torch.bool)
    groups = torch.randint(0, 3, (1, 1024))
    expected = slow(query, key, seen, padded, groups=groups)
    assert_close(map_statistics(query, key, groups=groups), expected, factor)
    torch.testing.assert_close(flash_entropy(query, key).double(), expected["entropy"], atol=factor * 1e-5, rtol=0)


def test_a_large_common_offset_costs_no_digits_of_the_entropy():
    query, key = drawn(1, 2, 2, 256, 256, 64)
    along = torch.nn.functional.normalize(torch.randn(64), dim=0)
    query, key = query + 40 * along, key + 40 * along  # 200 on every score
    seen, padded = torch.ones(256, 256).tril().bool()[None, None], torch.zeros(1, 256, dtype=torch.bool)
    expected = slow(query, key, seen, padded)["entropy"]
    assert float(slow(query, key, seen, padded)["logsumexp"].min()) > 150
    for found in (map_statistics(query, key).entropy, flash_entropy(query, key)):
        torch.testing.assert_close(found.double(), expected, atol=3e-5, rtol=0)


@pytest.mark.parametrize("name", [name for name in CASES if "softcap" not in name])
def test_flash_entropy_equals_maps(name):
    query, key, mask, options, _, expected, _, _ = case(**CASES[name])
    found = flash_entropy(query, key, mask, **options)
    torch.testing.assert_close(found.double(), expected["entropy"], atol=1e-5, rtol=0)
    raised = flash_entropy(query.bfloat16(), key.bfloat16(), mask, **options)
    again = flash_entropy(query.bfloat16().float(), key.bfloat16().float(), mask, **options)
    assert torch.equal(raised, again)


def test_flash_entropy_refuses_a_softcap_in_one_line():
    with pytest.raises(Unsupported, match=r"flash_entropy cannot serve scores with a softcap \(3.0\); use map_statistics") as caught:
        flash_entropy(*drawn(1, 2, 2, 4, 4), softcap=3.0)
    assert "\n" not in str(caught.value)


@law
@given(st.integers(1, 3), st.integers(1, 40), st.integers(0, 30), st.integers(1, 50), st.integers(0, 10), st.integers(0, 2**20))
def test_laws_of_probabilities(kv, queries, more_keys, chunk, pad, seed):
    torch.manual_seed(seed)
    keys = queries + more_keys
    query, key = drawn(1, 2 * kv, kv, queries, keys, sink=5.0)
    mask = torch.ones(1, keys, dtype=torch.bool)
    mask[:, : min(pad, keys - 1)] = False
    groups = torch.arange(keys)[None] % 4
    found = map_statistics(query, key, mask, groups=groups, chunk=chunk)
    present = mask[:, None, more_keys:].expand(-1, 2 * kv, -1).float()
    torch.testing.assert_close(found.mass.sum(-1), present, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.column_sums.sum(-1), present.sum(-1), atol=1e-4, rtol=1e-5)
    assert (found.column_sums[..., ~mask[0]] == 0).all()
    # p_max <= sqrt(sum p^2), sum p^2 <= p_max, and Renyi's order: -ln p_max <= -ln sum p^2 <= H <= ln(keys)
    assert (found.second_moment <= found.max_probability + 1e-6).all()
    assert (found.max_probability.square() <= found.second_moment + 1e-6).all()
    there = present.bool()
    assert (-found.second_moment[there].log() <= found.entropy[there] + 1e-5).all()
    assert (found.entropy <= math.log(keys) + 1e-5).all()
    same = map_statistics(query, key, mask, groups=groups, chunk=chunk + 7)
    torch.testing.assert_close(same.entropy, found.entropy, atol=1e-5, rtol=0)


def test_uniform_attention_and_a_single_key():
    query, key = torch.zeros(1, 2, 6, 4), torch.randn(1, 1, 6, 4)
    found = map_statistics(query, key)
    number = torch.arange(1, 7).float().expand(1, 2, 6)
    torch.testing.assert_close(found.entropy, number.log())
    torch.testing.assert_close(found.second_moment, 1 / number)
    torch.testing.assert_close(found.max_probability, 1 / number)
    assert found.mass.shape == (1, 2, 6, 0)
    assert float(found.entropy[0, 0, 0]) == 0.0


def test_not_a_number_is_told_where_it_is_seen_and_ignored_where_it_is_hidden():
    query, key, mask, options, more, expected, _, _ = case(pad=7, kv=2)
    query[1, :, :7], key[1, :, :7] = math.nan, math.nan  # padding
    assert_close(map_statistics(query, key, mask, **options, **more, chunk=16), expected)
    torch.testing.assert_close(flash_entropy(query, key, mask).double(), expected["entropy"], atol=1e-5, rtol=0)
    key[0, 0, 30] = math.nan
    query[0, 3, 20] = math.nan
    found = map_statistics(query, key, mask, **options, **more, chunk=16)
    for values in (found.entropy, found.logsumexp, found.max_probability, found.second_moment, found.mass.sum(-1)):
        assert values[0, :2, 30:].isnan().all()
        assert not values[0, :2, :30].isnan().any()
        assert values[0, 3, 20].isnan()
        assert not values[0, 2].isnan().any()
        assert not values[1].isnan().any()
    assert found.column_sums[0, 3].isnan().any()
    assert not found.column_sums[0, 2].isnan().any()


def test_memory_does_not_grow_with_the_square_of_the_text():
    sizes = []

    class Watched(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            if isinstance(found, torch.Tensor):
                sizes.append(found.untyped_storage().nbytes())
            return found

    query, key = drawn(1, 4, 2, 2048, 2048)
    with Watched():
        map_statistics(query, key, chunk=16)
    assert sizes
    assert max(sizes) <= max(query.nbytes, 4 * 2**20)
    assert max(sizes) < 4 * 2048 * 2048 * 4 / 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chunk": 0}, r"map_statistics.chunk must be at least 1; got 0"),
        ({"mask": torch.ones(1, 5)}, r'Visibility.mask must be "row key" with 6 keys.*got shape \(1, 5\)'),
        ({"mask": torch.ones(1, 1, 1, 6).bool()}, r"with 4 queries; got shape \(1, 1, 1, 6\)"),
        ({"window": 0}, "Visibility.window must be at least 1 and causal; got 0"),
        ({"window": 3, "causal": False}, "Visibility.window must be at least 1 and causal; got 3, causal=False"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        map_statistics(*drawn(1, 2, 2, 4, 6), **change)


def test_more_queries_than_keys_are_refused_where_causal():
    with pytest.raises(ValueError, match=r"Visibility\.queries must be no more than the keys where causal; got 6 > 4"):
        Visibility(6, 4)


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
        assert_close(found, expected, 2.0)


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
            torch.testing.assert_close(values, others, atol=1e-6, rtol=1e-5)
