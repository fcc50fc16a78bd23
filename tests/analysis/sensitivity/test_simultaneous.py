"""Simultaneous limits and the test of flatness: slow references, and what they hold under simulation."""

import itertools

import numpy as np
import pytest

from analysis.sensitivity.simultaneous import flatness, range_of, together

RNG = np.random.default_rng(4)


def test_limits_are_the_largest_studentised_deviation():
    draws = RNG.normal([1.0, -2.0, 0.1], [0.2, 1.0, 0.1], (999, 3))
    estimate = np.array([1.0, -2.0, 0.1])
    found = together(estimate, draws, 0.9)
    largest = []
    for draw in draws:
        largest.append(max(abs(draw[j] - estimate[j]) / draws[:, j].std(ddof=1) for j in range(3)))
    reach = np.quantile(largest, 0.9)
    for j in range(3):
        spread = draws[:, j].std(ddof=1)
        assert found.low[j] == pytest.approx(estimate[j] - reach * spread)
        assert found.high[j] == pytest.approx(estimate[j] + reach * spread)
        assert found.p[j] == pytest.approx((sum(one >= abs(estimate[j]) / spread for one in largest) + 1) / 1000)


def test_what_does_not_vary_or_is_not_there_has_no_limits_and_costs_the_others_nothing():
    draws = RNG.normal(0.5, 0.1, (500, 1))
    alone = together(np.array([0.5]), draws, 0.95)
    beside = together(np.array([0.5, 0.0, np.nan]), np.hstack([draws, np.zeros((500, 1)), draws]), 0.95)
    assert beside.low[0] == alone.low[0]
    assert np.isnan(beside.low[1:]).all()
    assert np.isnan(beside.p[1:]).all()


def test_a_range_is_bounded_by_the_limits_of_all_pairs():
    draws = RNG.normal([0.1, 0.5, 0.3], 0.05, (999, 3))
    values = np.array([0.1, 0.5, 0.3])
    pairs = list(itertools.combinations(range(3), 2))
    change = np.array([values[b] - values[a] for a, b in pairs])
    found = together(change, np.stack([draws[:, b] - draws[:, a] for a, b in pairs], 1), 0.95)
    low = max(0.0, *(max(lo, -hi) for lo, hi in zip(found.low, found.high, strict=True)))
    high = max(max(abs(lo), abs(hi)) for lo, hi in zip(found.low, found.high, strict=True))
    assert range_of(values, draws, 0.95) == pytest.approx((0.4, low, high))


def test_a_range_of_settings_that_are_all_one_is_nothing_without_limits():
    estimate, low, high = range_of(np.ones(3), np.ones((50, 3)), 0.95)
    assert estimate == 0
    assert np.isnan([low, high]).all()


def test_flatness_is_the_share_of_all_turns_that_spread_the_settings_as_far():
    above = RNG.integers(0, 5, (3, 5, 1)).astype(float)
    below = above + RNG.integers(1, 5, (3, 5, 1))
    pooled = above.sum() / below.sum()
    score = (above - pooled * below)[..., 0]
    observed = np.ptp(score.sum(1))
    reached = []
    for turns in itertools.product(range(3), repeat=5):
        total = [sum(score[(k - turns[i]) % 3, i] for i in range(5)) for k in range(3)]
        reached.append(max(total) - min(total) >= observed - 1e-9)
    assert flatness(above, below, draws=40_000)[0] == pytest.approx(np.mean(reached), abs=0.01)


def test_flatness_of_settings_that_never_differ_is_not_to_be_had():
    same = np.repeat(RNG.random((1, 20, 2)), 3, axis=0)
    assert np.isnan(flatness(same, np.ones_like(same), draws=99)).all()


@pytest.mark.slow
def test_flatness_holds_its_level_for_ratios_of_sums_with_images_that_resemble_themselves():
    """400 sets of 60 images x 5 settings, 5 %: the band is 2.6 binomial errors wide."""
    rng, rejected = np.random.default_rng(1), 0
    for _ in range(400):
        hard, mentions = rng.beta(1, 6, (1, 60)), rng.integers(1, 12, (5, 60))
        above = rng.binomial(mentions, np.broadcast_to(hard, (5, 60)))[..., None].astype(float)
        rejected += flatness(above, mentions[..., None].astype(float), draws=399, seed=int(rng.integers(1 << 30)))[0] <= 0.05
    assert 0.022 <= rejected / 400 <= 0.078


@pytest.mark.slow
@pytest.mark.parametrize("true", [(0.3, 0.3, 0.3, 0.3), (0.1, 0.2, 0.3, 0.4)])
def test_simultaneous_limits_cover_all_differences_at_once_and_a_range_at_least_as_often(true):
    """300 sets of 100 images: settings share their images' difficulty; 95 % within 2.6 binomial errors, a range at least that."""
    rng, all_covered, range_covered = np.random.default_rng(2), 0, 0
    first, second = np.triu_indices(4, 1)
    for _ in range(300):
        values = np.array(true)[:, None] + rng.normal(0, 0.3, (1, 100)) + rng.normal(0, 0.2, (4, 100))
        count = np.stack([np.bincount(drawn, minlength=100) for drawn in rng.integers(0, 100, (599, 100))])
        draws = count @ values.T / 100
        mean = values.mean(1)
        found = together(mean[first] - mean[second], draws[:, first] - draws[:, second], 0.95)
        change = np.array(true)[first] - np.array(true)[second]
        all_covered += bool(((found.low <= change) & (change <= found.high)).all())
        _, low, high = range_of(mean, draws, 0.95)
        range_covered += low <= max(true) - min(true) <= high
    assert 0.917 <= all_covered / 300 <= 0.983
    assert range_covered >= all_covered
