"""Received attention, labels, agreement and Observation 2 against loops and scipy; what uniform attention is worth."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.sinks import agreement, observation
from analysis.sinks.targets import labels, received


def rows(seed, tokens=14, heads=2):
    """Random causal attention among generated tokens."""
    draw = np.random.default_rng(seed).random((heads, tokens, tokens)) * np.tri(tokens)
    return draw / draw.sum(-1, keepdims=True)


def test_received_equals_a_loop_over_later_queries():
    attention = rows(0)
    found = received(attention, (1, 5, 13, 40))
    for number, width in enumerate((1, 5, 13, 40)):
        for head, key in itertools.product(range(2), range(14)):
            later = attention[head, key + 1 : key + 1 + width, key]
            expected = later.mean() if len(later) == width else np.nan
            np.testing.assert_allclose(found[number, head, key], expected, atol=1e-12)


@given(st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_labels_mark_the_largest_tenth_and_never_a_token_without_a_value(tokens, seed):
    draw = np.random.default_rng(seed)
    values = draw.integers(0, 5, (3, tokens)).astype(float)
    values[:, draw.random(tokens) < 0.2] = np.nan
    marked = labels(values)
    known = int(np.isfinite(values[0]).sum())
    assert (marked.sum(axis=-1) == np.ceil(0.1 * known)).all()
    assert not marked[np.isnan(values)].any()
    for line, mark in zip(values, marked, strict=True):
        if mark.any() and (~mark & np.isfinite(line)).any():
            assert line[mark].min() >= line[~mark & np.isfinite(line)].max()


def test_rank_correlations_equal_scipy_and_constants_have_none():
    draw = np.random.default_rng(2)
    scores = draw.integers(0, 6, (2, 4, 30)).astype(float)
    scores[1, 3] = 1.0
    found = agreement.spearman(scores)
    for layer, one, other in itertools.product(range(2), range(4), range(4)):
        if layer == 1 and 3 in (one, other):
            assert np.isnan(found[layer, one, other])
        else:
            expected = stats.spearmanr(scores[layer, one], scores[layer, other]).statistic
            assert found[layer, one, other] == pytest.approx(expected)


def test_overlap_equals_sets_without_ties():
    draw = np.random.default_rng(3)
    scores = draw.random((2, 40))
    tops = [set(np.argsort(-line)[:4]) for line in scores]
    found = agreement.jaccard(agreement.membership(scores))
    assert found[0, 1] == pytest.approx(len(tops[0] & tops[1]) / len(tops[0] | tops[1]))
    assert found[0, 0] == pytest.approx(1)


@given(st.integers(5, 60), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_members_fill_exactly_the_places_there_are(tokens, seed):
    scores = np.random.default_rng(seed).integers(0, 3, (1, tokens)).astype(float)
    members = agreement.membership(scores)
    if len(np.unique(scores)) > 1:
        assert members.sum() == pytest.approx(np.ceil(0.1 * tokens))
        assert ((members >= 0) & (members <= 1)).all()
    else:
        assert np.isnan(members).all()


def test_unrelated_tenths_overlap_by_chance():
    draw = np.random.default_rng(4)
    found = [agreement.jaccard(agreement.membership(draw.random((2, 2000))))[0, 1] for _ in range(100)]
    assert np.mean(found) == pytest.approx(agreement.chance(), abs=0.003)


def test_relations_equal_scipy():
    draw = np.random.default_rng(5)
    one, other = draw.integers(1, 7, (2, 3, 25)).astype(float)
    found = observation.relate(one, other)
    for head in range(3):
        a, b = one[head], other[head]
        expected = [
            a @ b / np.sqrt((a @ a) * (b @ b)),
            stats.pearsonr(a, b).statistic,
            stats.spearmanr(a, b).statistic,
            stats.kendalltau(a, b, variant="b").statistic,
        ]
        np.testing.assert_allclose(found[:, head], expected, atol=1e-12)


def test_columns_equal_a_loop():
    attention = rows(6)
    found = observation.columns(attention)
    for head, key in itertools.product(range(2), range(14)):
        later = [attention[head, query, key] for query in range(key, 14)]
        np.testing.assert_allclose(found[:, head, key], [sum(later), sum(later) / len(later)])


def test_uniform_attention_has_the_cosine_of_a_finding_and_a_correlation_of_minus_one():
    """The planted null: no sink anywhere, 600 prompt keys and 100 generated ones."""
    entropy, received_by_kind = observation.uniform(600, 100)
    cosine, pearson, spearman, kendall = observation.relate(np.stack([entropy, entropy]), received_by_kind)
    assert cosine[0] == pytest.approx(0.862, abs=0.01)
    assert cosine[1] > 0.999
    assert (pearson < -0.995).all()
    np.testing.assert_allclose(spearman, -1)
    np.testing.assert_allclose(kendall, -1)


def test_observation_keeps_its_variants_apart():
    attention = rows(7, tokens=40)
    entropy = -(attention * np.log(np.where(attention > 0, attention, 1))).sum(-1)
    found = observation.observe(entropy, observation.columns(attention), 0, np.random.default_rng(0))
    assert found.shape == (4, 4, 2, 2)
    np.testing.assert_allclose(found[0, :, 0], observation.relate(entropy, observation.columns(attention)[0]))
    # a permutation keeps both vectors' lengths, and with them what a cosine has by chance
    assert abs(found[1, 1:]).max() < 0.5
    again = observation.observe(entropy, observation.columns(attention), 0, np.random.default_rng(0))
    np.testing.assert_array_equal(found, again)


def test_short_captions_have_no_relation():
    attention = rows(8, tokens=4)
    found = observation.observe(np.ones((2, 4)), observation.columns(attention), 3, np.random.default_rng(0))
    assert np.isnan(found).all()
