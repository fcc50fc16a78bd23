"""AUROC over images against a double loop over tokens; the confound that stratification must undo; coverage of its interval."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from analysis.stats.bootstrap import cluster_bca
from analysis.stats.concordance import auroc, auroc_of_labels, concordance


def loop(score, positive, image, images, stratum=None):
    """Pairs counted one by one."""
    concordant, pairs = np.zeros((images, images)), np.zeros((images, images))
    for i in np.flatnonzero(positive):
        for k in np.flatnonzero(~positive):
            if np.isfinite(score[[i, k]]).all() and (stratum is None or stratum[i] == stratum[k]):
                pairs[image[i], image[k]] += 1
                concordant[image[i], image[k]] += 0.5 * (score[i] >= score[k]) + 0.5 * (score[i] > score[k])
    return concordant, pairs


def tokens(seed, images=5, most=9, levels=4):
    """Few tokens with many ties; some without a score."""
    draw = np.random.default_rng(seed)
    image = np.repeat(np.arange(images), draw.integers(1, most, images))
    score = draw.integers(0, levels, len(image)).astype(float)
    score[draw.random(len(image)) < 0.1] = np.nan
    return score, draw.random(len(image)) < 0.3, image, draw.integers(0, 3, len(image))


@given(st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_pairs_equal_a_double_loop(seed):
    score, positive, image, stratum = tokens(seed)
    for strata in (None, stratum):
        found = concordance(score, positive, image, 5, strata)
        concordant, pairs = loop(score, positive, image, 5, strata)
        np.testing.assert_array_equal(found.concordant, concordant)
        np.testing.assert_array_equal(found.pairs, pairs)


def test_no_token_and_no_positive_give_no_auroc():
    empty = concordance(np.array([]), np.array([], dtype=bool), np.array([], dtype=int), 3)
    assert np.isnan(empty.auroc)
    assert np.isnan(empty.auroc_within)
    assert np.isnan(concordance(np.ones(4), np.zeros(4, dtype=bool), np.arange(4), 4).auroc)


def test_sums_keep_layers_apart():
    score, positive, image, _ = tokens(3)
    one, other = concordance(score, positive, image, 5), concordance(-score, positive, image, 5)
    assert (one + other).auroc == pytest.approx(0.5)


def test_rank_sums_equal_a_loop():
    draw = np.random.default_rng(1)
    score, labels = draw.integers(0, 6, (3, 14)).astype(float), draw.random((4, 14)) < 0.3
    labels[3] = False
    found = auroc_of_labels(score, labels)
    for row in range(3):
        for label in range(3):
            concordant, pairs = loop(score[row], labels[label], np.zeros(14, dtype=int), 1)
            assert found[row, label] == pytest.approx(concordant.sum() / pairs.sum())
    assert np.isnan(found[:, 3]).all()


@pytest.mark.parametrize("within", [False, True])
def test_resampled_auroc_equals_gathering_the_tokens_of_the_drawn_images(within):
    score, positive, image, _ = tokens(7, images=8, most=12, levels=30)
    score = np.nan_to_num(score)

    def gathered(drawn):
        # copies of an image are images of their own to a double loop, but pairs between copies are pairs within an image's diagonal block
        parts = [np.flatnonzero(image == i) for i in drawn]
        copy = np.concatenate([np.full(len(part), number) for number, part in enumerate(parts)])
        picked = np.concatenate(parts)
        concordant, pairs = loop(score[picked], positive[picked], copy, len(drawn))
        return np.trace(concordant) / np.trace(pairs) if within else concordant.sum() / pairs.sum()

    ours = cluster_bca(auroc([concordance(score, positive, image, 8)], within=within), 8, resamples=60, seed=4)
    options = {"vectorized": False, "n_resamples": 60, "method": "BCa", "rng": np.random.default_rng(4), "batch": 500}
    slow = bootstrap((np.arange(8),), gathered, **options).confidence_interval
    np.testing.assert_allclose([ours.low[0], ours.high[0]], slow, rtol=1e-9)


def confounded(draw, images=60, steps=60):
    """Score and label both depend on the position, and on nothing else."""
    step = np.tile(np.arange(steps), images)
    score = -step / steps + 0.3 * draw.normal(size=images * steps)
    positive = draw.random(images * steps) < np.exp(-1 - 2 * step / steps)
    return score, positive, np.repeat(np.arange(images), steps), step


def test_a_confound_by_position_is_undone_by_stratification():
    score, positive, image, step = confounded(np.random.default_rng(0))
    pooled, stratified = concordance(score, positive, image, 60), concordance(score, positive, image, 60, step)
    assert 0.62 < pooled.auroc < 0.75
    assert 0.62 < pooled.auroc_within < 0.75
    found = cluster_bca(auroc([stratified]), 60, resamples=999)
    assert found.low[0] <= 0.5 <= found.high[0]
    assert abs(found.estimate[0] - 0.5) < 0.05


@pytest.mark.slow
def test_coverage_with_images_as_the_unit_is_near_nominal():
    """Scores with a shared image effect (ICC 0.5), labels whose rate differs between images: pooled truth by a large sample."""

    def sample(draw, images, length=20):
        shift = draw.normal(size=(images, 1))
        positive = draw.random((images, length)) < np.where(shift > 0, 0.3, 0.1)
        score = shift + draw.normal(size=(images, length)) + 0.5 * positive
        return score.ravel(), positive.ravel(), np.repeat(np.arange(images), length)

    truth = concordance(*sample(np.random.default_rng(99), 1500), 1500).auroc
    draw, hits, runs = np.random.default_rng(0), 0, 150
    for run in range(runs):
        found = cluster_bca(auroc([concordance(*sample(draw, 40), 40)]), 40, resamples=599, seed=run)
        hits += found.low[0] <= truth <= found.high[0]
    assert 0.90 <= hits / runs <= 0.98


@pytest.mark.slow
def test_stratified_interval_covers_one_half_under_the_confound():
    draw, hits, runs = np.random.default_rng(1), 0, 100
    for run in range(runs):
        score, positive, image, step = confounded(draw, images=30, steps=30)
        found = cluster_bca(auroc([concordance(score, positive, image, 30, step)]), 30, resamples=599, seed=run)
        hits += found.low[0] <= 0.5 <= found.high[0]
    assert 0.90 <= hits / runs <= 0.985
