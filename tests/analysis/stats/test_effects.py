"""Effect sizes against scipy, loops over pairs, and numbers that can be worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from analysis.stats.effects import cliffs_delta, hedges_factor, rate_ratio, standardised_change, superiority
from analysis.stats.trend import two_stage

FEW = {"resamples": 300}


@pytest.fixture
def draw():
    return np.random.default_rng(5)


class TestStandardised:
    def test_without_spread_there_is_none(self):
        assert np.isnan(standardised_change(np.ones(1), np.zeros(1))).all()
        assert np.isnan(hedges_factor(1))

    def test_they_hang_on_no_unit_and_need_two_images(self, draw):
        a, b = draw.normal(1, 2, 6), draw.normal(0, 1, 6)
        for size in (1e-3, 1e3):
            assert standardised_change(size * a, size * b) == pytest.approx(standardised_change(a, b))
        assert np.isfinite(hedges_factor(2))
        assert standardised_change(a[:2], b[:2])[0] == pytest.approx((a - b)[:2].mean() / (a - b)[:2].std(ddof=1))

    def test_a_change_that_is_the_same_everywhere_has_no_spread_of_its_own(self, draw):
        control = draw.integers(0, 9, 7).astype(float)
        d_z, g_av = standardised_change(control + 2, control)
        assert np.isnan(d_z)
        assert g_av == pytest.approx(hedges_factor(6) * 2 / control.std(ddof=1))


class TestCliffsDelta:
    @pytest.mark.parametrize("paired", [True, False])
    def test_equals_a_loop_over_pairs_and_mann_whitney(self, draw, paired):
        a, b = np.round(draw.normal(0.5, 1, (12, 2)), 1), np.round(draw.normal(0, 1, (12 if paired else 17, 2)), 1)
        found = cliffs_delta(a, b, paired=paired, **FEW)
        for q in range(2):
            pairs = [np.sign(x - y) for x in a[:, q] for y in b[:, q]]
            assert found.estimate[q] == pytest.approx(np.mean(pairs))
            auroc = stats.mannwhitneyu(a[:, q], b[:, q]).statistic / (len(a) * len(b))
            assert found.estimate[q] == pytest.approx(2 * auroc - 1)
        assert (found.low < found.estimate).all()
        assert (found.high > found.estimate).all()

    def test_by_hand(self):
        """4 of 6 pairs go up, 1 down, 1 ties."""
        found = cliffs_delta(np.array([[2.0], [5.0]]), np.array([[1.0], [2.0], [3.0]]), paired=False, **FEW)
        assert found.estimate[0] == pytest.approx((4 - 1) / 6)

    def test_paired_limits_equal_a_slow_bootstrap_that_keeps_images_together(self, draw):
        control = draw.normal(size=(14, 1))
        treated = control + draw.normal(0.3, 0.3, (14, 1))
        slow = stats.bootstrap(
            (np.arange(14),),
            lambda drawn: np.mean([np.sign(treated[i, 0] - control[j, 0]) for i in drawn for j in drawn]),
            vectorized=False,
            n_resamples=300,
            method="BCa",
            rng=np.random.default_rng(2),
            batch=500,
        ).confidence_interval
        found = cliffs_delta(treated, control, paired=True, seed=2, **FEW)
        assert (found.low[0], found.high[0]) == pytest.approx(tuple(slow), abs=1e-9)

    def test_missing_values_form_no_pairs(self):
        a, b = np.array([[1.0], [np.nan], [3.0]]), np.array([[0.0], [2.0], [np.nan]])
        assert cliffs_delta(a, b, paired=False, **FEW).estimate[0] == pytest.approx((1 - 1 + 1 + 1) / 4)

    def test_arms_of_other_images_are_no_pairs(self):
        with pytest.raises(ValueError, match=r"must hold the same images where paired; got 2 and 3"):
            cliffs_delta(np.ones((2, 1)), np.ones((3, 1)), paired=True)


def test_superiority_counts_images_and_halves_ties():
    treated = np.array([[1.0], [2.0], [3.0], [4.0], [np.nan]])
    found = superiority(treated, np.array([[0.0], [2.0], [5.0], [1.0], [1.0]]), **FEW)
    assert found.estimate[0] == pytest.approx(2.5 / 4)
    assert 0 <= found.low[0] < found.estimate[0] < found.high[0] <= 1


class TestRateRatio:
    def arms(self, draw, images=20):
        return tuple((draw.poisson(m, (images, 1)) + 0.0, draw.poisson(9, (images, 1)) + 1.0) for m in (2, 4))

    @pytest.mark.parametrize("paired", [True, False])
    def test_limits_are_those_of_the_log_turned_back(self, draw, paired):
        (a, n), (b, m) = self.arms(draw)
        found = rate_ratio((a, n), (b, m), paired=paired, seed=4, **FEW)
        assert found.estimate[0] == pytest.approx((a.sum() / n.sum()) / (b.sum() / m.sum()))

        groups = (np.arange(20),) * (1 if paired else 2)

        def log_ratio(i, j=None):
            j = i if j is None else j
            return np.log(a[i].sum() / n[i].sum()) - np.log(b[j].sum() / m[j].sum())

        options = {"vectorized": False, "n_resamples": 300, "method": "BCa", "batch": 500}
        slow = stats.bootstrap(groups, log_ratio, rng=np.random.default_rng(4), **options).confidence_interval
        assert (found.low[0], found.high[0]) == pytest.approx(tuple(np.exp(slow)))

    def test_a_rate_of_zero_says_why_it_has_no_limits(self, draw):
        (a, n), (b, m) = self.arms(draw)
        assert rate_ratio((0 * a, n), (b, m), paired=True, **FEW).reason == ("a rate is zero or undefined",)
        once = np.where(np.arange(20)[:, None] == 3, 1.0, 0.0)
        seldom = rate_ratio((once, n), (b, m), paired=True, **FEW)
        assert seldom.reason == ("a rate is zero or undefined in some resamples",)
        assert np.isnan(seldom.low[0])
        with pytest.raises(ValueError, match=r"rate_ratio.treated and control must hold the same images"):
            rate_ratio((a[1:], n[1:]), (b, m), paired=True)


def test_a_slope_per_hundred_tokens():
    steps = np.arange(40.0)
    values = np.stack([0.02 * steps, 0.04 * steps])[:, :, None]
    assert two_stage(values, "theil_sen", per=100, resamples=50, draws=9).mean[0] == pytest.approx(3)
