"""Statistics without maps against float64 maps that are written out, their laws, and what does not fit."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kvsmooth.flash_entropy import flash_entropy
from kvsmooth.map_statistics import map_statistics
from kvsmooth.visibility import Visibility
from tests.kvsmooth.maps import CASES, assert_equal, case, drawn, of_maps, slow
from tests.rounding import SUM, assert_close, of_sum

law = settings(deadline=None, max_examples=25)


@pytest.mark.parametrize("chunk", [16, 1000])
@pytest.mark.parametrize("name", CASES)
def test_equals_maps_in_double_precision(name, chunk):
    query, key, mask, options, more, expected, _, _ = case(**CASES[name])
    assert_equal(map_statistics(query, key, mask, **options, **more, chunk=chunk), expected)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("form", ["boolean", "additive", "additive_half", "additive_by_head"])
def test_a_whole_mask_says_the_same_as_the_rule(name, form):
    query, key, _, options, more, expected, seen, padded = case(**CASES[name])
    seen = seen & ~padded[:, None, :, None]
    dtype = torch.float16 if form == "additive_half" else torch.float32  # whose lowest number is no more than -65504
    mask = seen if form == "boolean" else torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
    mask = mask.expand(-1, 4, -1, -1) if form == "additive_by_head" else mask
    options = options | {"causal": True, "window": None}  # not asked
    assert_equal(map_statistics(query, key, mask, **options, **more, chunk=16), expected)


def test_an_additive_mask_may_carry_a_bias_of_its_own_for_each_head():
    query, key = drawn(1, 4, 2, 20, 20)
    bias = torch.randn(1, 4, 20, 20).masked_fill(torch.ones(20, 20).triu(1).bool(), -math.inf)
    scores = 16**-0.5 * query.double() @ key.double().repeat_interleave(2, 1).transpose(-1, -2) + bias.double()
    found = map_statistics(query, key, bias, chunk=6)
    assert_equal(found, of_maps(scores.softmax(-1), scores, None, torch.ones(1, 20).double(), torch.zeros(1, 20, dtype=torch.bool)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["padded", "window_padded", "softcap"])
def test_rounded_inputs_are_raised_not_rounded_again(name, dtype):
    query, key, mask, options, more, expected, _, _ = case(**CASES[name], dtype=dtype)
    assert_equal(map_statistics(query, key, mask, **options, **more, chunk=16), expected)


@pytest.mark.parametrize(
    ("sink", "deviation"),
    [pytest.param(10.0, 2.0, marks=pytest.mark.slow), (20.0, 2.0), pytest.param(-10.0, 4.0, marks=pytest.mark.slow)],
)
def test_error_at_a_thousand_keys(sink, deviation):
    query, key = drawn(1, 4, 2, 1024, 1024, 64, sink, deviation)
    seen, padded = torch.ones(1024, 1024).tril().bool()[None, None], torch.zeros(1, 1024, dtype=torch.bool)
    groups = torch.randint(0, 3, (1, 1024))
    expected = slow(query, key, seen, padded, groups=groups)
    assert_equal(map_statistics(query, key, groups=groups), expected, of_sum(1024))
    assert_close(flash_entropy(query, key), expected["entropy"], of_sum(1024), of=expected["logsumexp"])


def test_a_large_common_offset_costs_no_digits_of_the_entropy():
    query, key = drawn(1, 2, 2, 256, 256, 64)
    along = torch.nn.functional.normalize(torch.randn(64), dim=0)
    query, key = query + 40 * along, key + 40 * along  # 200 on every score
    seen, padded = torch.ones(256, 256).tril().bool()[None, None], torch.zeros(1, 256, dtype=torch.bool)
    expected = slow(query, key, seen, padded)
    assert float(expected["logsumexp"].min()) > 150
    for found in (map_statistics(query, key).entropy, flash_entropy(query, key)):
        assert_close(found, expected["entropy"], of_sum(64), of=expected["logsumexp"])


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
    assert_equal(map_statistics(query, key, mask, **options, **more, chunk=16), expected)
    assert_close(flash_entropy(query, key, mask), expected["entropy"], SUM, of=expected["logsumexp"])
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
        ({"softcap": 0.0}, "map_statistics.softcap must be above 0, or None; got 0.0"),
        ({"mask": torch.ones(3, 6)}, r"map_statistics.mask must have 1 rows.*got shape \(3, 6\)"),
        ({"mask": torch.ones(1, 3, 4, 6).bool()}, r"one head or 2 where it is 4-D; got shape \(1, 3, 4, 6\)"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        map_statistics(*drawn(1, 2, 2, 4, 6), **change)


def test_more_queries_than_keys_are_refused_where_causal():
    with pytest.raises(ValueError, match=r"Visibility\.queries must be no more than the keys where causal; got 6 > 4"):
        Visibility(6, 4)
