"""Intervals of two independent groups, of medians and of ratios with empty denominators, against scipy called directly."""

import numpy as np
import pytest
from scipy import stats

from analysis.stats.bootstrap import between, cluster_bca, mean, median, ratio, ratio_bca, unpaired_bca


@pytest.fixture
def draw():
    return np.random.default_rng(11)


def slow(groups, statistic, seed):
    options = {"vectorized": False, "n_resamples": 400, "method": "BCa", "batch": 500, "rng": np.random.default_rng(seed)}
    return tuple(stats.bootstrap(groups, statistic, **options).confidence_interval)


def test_two_groups_equal_scipy_on_their_values(draw):
    a, b = draw.gamma(2, size=(13, 2)), draw.gamma(3, size=(21, 2))
    found = unpaired_bca(between(mean(a), mean(b)), 13, 21, resamples=400, seed=3)
    np.testing.assert_allclose(found.estimate, a.mean(axis=0) - b.mean(axis=0))
    for c in range(2):
        expected = slow((a[:, c], b[:, c]), lambda one, other: one.mean() - other.mean(), 3)
        assert (found.low[c], found.high[c]) == pytest.approx(expected)


def test_unlike_paired_drawing_a_shared_effect_of_images_does_not_cancel(draw):
    scene = 5 * draw.normal(size=(30, 1))
    a, b = scene + draw.normal(size=(30, 1)), scene + draw.normal(size=(30, 1))
    apart = unpaired_bca(between(mean(a), mean(b)), 30, 30, resamples=400)
    together = cluster_bca(lambda drawn: between(mean(a), mean(b))(drawn, drawn), 30, resamples=400)
    assert apart.high - apart.low > 3 * (together.high - together.low)


def test_median_equals_scipy_and_leaves_missing_images_out(draw):
    values = draw.gamma(2, size=(24, 2))
    values[5, 1] = np.nan
    found = cluster_bca(median(values), 24, resamples=400, seed=1)
    np.testing.assert_allclose(found.estimate, np.nanmedian(values, axis=0))
    assert (found.low[0], found.high[0]) == pytest.approx(slow((values[:, 0],), np.median, 1))


def test_a_denominator_of_few_images_says_how_many():
    top, bottom = np.arange(20.0)[:, None], np.zeros((20, 1))
    bottom[[2, 9]] = 3.0
    found = ratio_bca(top, bottom, resamples=200)
    assert found.reason == ("the denominator is zero in some resamples: 2 of 20 images have one",)
    assert found.estimate[0] == pytest.approx(190 / 6)
    assert np.isnan([found.low[0], found.high[0]]).all()
    fine = ratio_bca(top, bottom + 1, resamples=200)
    assert fine.low == cluster_bca(ratio(top, bottom + 1), 20, resamples=200).low
    assert ratio_bca(top, 0 * bottom, resamples=200).reason == ("no image has a value",)


def test_groups_that_are_too_small_and_levels_out_of_range():
    one = unpaired_bca(between(mean(np.ones((1, 1))), mean(np.ones((4, 1)))), 1, 4)
    assert one.reason == ("an interval needs at least 2 images",)
    assert unpaired_bca(between(mean(np.ones((4, 1))), mean(np.ones((1, 1)))), 4, 1).reason == one.reason
    with pytest.raises(ValueError, match=r"unpaired_bca.level must lie in \(0, 1\); got 2"):
        unpaired_bca(between(mean(np.ones((4, 1))), mean(np.ones((4, 1)))), 4, 4, level=2.0)
