"""Two-stage trends in one call, against scipy image by image and the tests that the second stage stands on."""

import numpy as np
import pytest
from scipy import stats

from analysis.stats.bootstrap import cluster_bca, mean
from analysis.stats.paired import sign_flip
from analysis.stats.trend import TRENDS, least_squares, trends, two_stage


@pytest.fixture
def captions():
    """8 captions of unequal length, two quantities, one missing step inside."""
    draw = np.random.default_rng(7)
    values = draw.normal(size=(8, 30, 2)).cumsum(axis=1) + 0.1 * np.arange(30.0)[:, None]
    for image, length in enumerate([30, 12, 25, 2, 18, 30, 9, 3]):
        values[image, length:] = np.nan
    values[0, 4, 1] = np.nan
    return values


REFERENCE = {
    "tau": lambda step, column: stats.kendalltau(step, column).statistic,
    "slope": lambda step, column: stats.linregress(step, column).slope,
    "theil_sen": lambda step, column: stats.theilslopes(column, step).slope,
}


@pytest.mark.parametrize("kind", TRENDS)
def test_equals_scipy_image_by_image(captions, kind):
    found = two_stage(captions, kind, resamples=200, draws=255)
    for image, series in enumerate(captions):
        for q in range(2):
            there = np.flatnonzero(np.isfinite(series[:, q]))
            slow = REFERENCE[kind](there, series[there, q]) if len(there) >= 3 else np.nan
            np.testing.assert_allclose(found.by_image[image, q], slow, atol=1e-12)
    np.testing.assert_array_equal(found.n, [7, 7])
    np.testing.assert_allclose(found.mean, np.nanmean(found.by_image, axis=0))
    interval = cluster_bca(mean(found.by_image), 8, resamples=200)
    np.testing.assert_array_equal([found.low, found.high], [interval.low, interval.high])
    p, p_max_t = sign_flip(found.by_image, draws=255)
    np.testing.assert_array_equal([found.p, found.p_max_t], [p, p_max_t])


@pytest.mark.parametrize("kind", TRENDS)
def test_a_control_arm_is_taken_off_image_by_image(captions, kind):
    other = np.random.default_rng(1).normal(size=(8, 20, 2))  # its captions are shorter
    found = two_stage(captions, kind, control=other, resamples=50, draws=63)
    np.testing.assert_array_equal(found.by_image, trends(captions, kind) - trends(other, kind))


def test_slopes_take_their_unit_of_time_and_tau_has_none(captions):
    for kind in ("slope", "theil_sen"):
        np.testing.assert_allclose(trends(captions, kind, 100), 100 * trends(captions, kind))
    np.testing.assert_array_equal(trends(captions, "tau", 100), trends(captions, "tau"))


def test_constant_and_short_series():
    np.testing.assert_array_equal(least_squares(np.ones((5, 1))), 0)
    assert np.isnan(least_squares(np.array([[1.0], [2.0], [np.nan]]))).all()
    none = two_stage(np.full((4, 6, 1), np.nan), resamples=50)
    assert none.reason == ("no image has a value",)
    assert np.isnan([none.mean, none.p]).all()


def test_another_kind_is_named():
    with pytest.raises(ValueError, match=r"two_stage.kind must be one of tau, slope, theil_sen; got 'mann'"):
        two_stage(np.zeros((2, 3, 1)), "mann")
