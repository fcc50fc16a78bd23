"""Every statistic against an independent implementation or a slow formula; levels and coverages are those of the calibration."""

import itertools
import warnings
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.stats.bootstrap import cluster_bca, difference, mean, multiplicity_of_images, ratio
from analysis.stats.effects import hedges_factor
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import compare, flips, hodges_lehmann, sign_flip, signed_rank, signed_ranks
from analysis.stats.swap import swap_test
from analysis.stats.trend import kendall_tau, theil_sen


@pytest.fixture
def draw():
    return np.random.default_rng(3)


class TestBootstrap:
    def test_equals_scipy_on_one_column(self, draw):
        values = draw.gamma(2, size=(25, 3))
        ours = cluster_bca(mean(values), 25, resamples=500, seed=1)
        for c in range(3):
            options = {"n_resamples": 500, "method": "BCa", "rng": np.random.default_rng(1), "batch": 500}
            theirs = stats.bootstrap((values[:, c],), np.mean, **options).confidence_interval
            np.testing.assert_allclose([ours.low[c], ours.high[c]], theirs, rtol=1e-12)
        np.testing.assert_allclose(ours.estimate, values.mean(axis=0))

    def test_ratio_of_sums_equals_a_loop_over_gathered_images(self, draw):
        top, bottom = draw.poisson(2, (12, 1)).astype(float), draw.poisson(6, (12, 1)) + 1.0
        ours = cluster_bca(ratio(top, bottom), 12, resamples=400, seed=5)
        slow = stats.bootstrap(
            (np.arange(12),),
            lambda drawn: sum(top[i, 0] for i in drawn) / sum(bottom[i, 0] for i in drawn),
            vectorized=False,
            n_resamples=400,
            method="BCa",
            rng=np.random.default_rng(5),
            batch=500,
        ).confidence_interval
        np.testing.assert_allclose([ours.low[0], ours.high[0]], slow, rtol=1e-10)

    def test_an_image_without_a_value_takes_no_part(self, draw):
        values = draw.normal(size=(20, 1))
        values[3] = np.nan
        assert cluster_bca(mean(values), 20, resamples=200).estimate[0] == pytest.approx(np.nanmean(values))

    def test_difference_draws_the_same_images_for_both(self, draw):
        values = draw.normal(size=(15, 1))
        found = cluster_bca(difference(mean(values + 1), mean(values)), 15, resamples=200)
        assert found.estimate[0] == pytest.approx(1)
        assert found.reason[0] == "no variation between images" or found.high[0] - found.low[0] < 1e-9

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            (np.ones((1, 1)), "an interval needs at least 2 images"),
            (np.ones((9, 1)), "no variation between images"),
            (np.full((9, 1), np.nan), "no image has a value"),
            (np.array([[np.nan]] * 7 + [[1.0], [2.0]]), "undefined in some resamples: too few images have a value"),
        ],
    )
    def test_what_has_no_interval_says_why(self, values, reason):
        found = cluster_bca(mean(values), len(values), resamples=200)
        assert found.reason == (reason,)
        assert np.isnan([found.low[0], found.high[0]]).all()

    def test_multiplicity_counts_draws(self):
        np.testing.assert_array_equal(multiplicity_of_images(np.array([[0, 0, 2], [1, 1, 1]]), 3), [[2, 0, 1], [0, 3, 0]])

    def test_level_out_of_range_is_named(self):
        for level in (0.0, 1.0):
            with pytest.raises(ValueError, match=r"cluster_bca.level must lie in \(0, 1\); got [01]"):
                cluster_bca(mean(np.ones((3, 1))), 3, level=level)

    def test_two_images_have_an_interval(self):
        found = cluster_bca(mean(np.array([[1.0], [2.0]])), 2, resamples=200)
        assert found.reason == ("",)
        assert 1 <= found.low[0] < found.high[0] <= 2


class TestPaired:
    def test_sign_flip_equals_scipy_exactly(self, draw):
        values = draw.normal(0.4, 1, size=(9, 2))
        for c in range(2):
            theirs = stats.permutation_test(
                (values[:, c], np.zeros(9)), lambda a, b: np.mean(a - b), permutation_type="samples", vectorized=False, n_resamples=np.inf
            ).pvalue
            assert sign_flip(values)[0][c] == pytest.approx(theirs)

    def test_max_t_equals_a_loop_over_all_flips(self, draw):
        values = draw.normal(0.3, 1, size=(8, 3))

        def t(flipped):  # |t| and the statistic used order flips alike; they are compared through their ranks among all flips
            return np.abs(flipped.sum(axis=0)) / np.sqrt((flipped**2).sum(axis=0))

        null = np.array([t(values * np.array(signs)[:, None]).max() for signs in itertools.product([1, -1], repeat=8)])
        slow = [(null >= t(values)[c] - 1e-9).mean() for c in range(3)]
        np.testing.assert_allclose(sign_flip(values)[1], slow)

    @given(st.integers(2, 10), st.integers(0, 5))
    @settings(max_examples=25, deadline=None)
    def test_corrected_p_is_never_below_the_single_one(self, images, seed):
        p, corrected = sign_flip(np.random.default_rng(seed).normal(size=(images, 4)))
        assert (corrected >= p - 1e-12).all()
        assert ((p > 0) & (p <= 1)).all()

    def test_random_flips_agree_with_all_flips(self, draw):
        values = draw.normal(0.4, 1, size=(12, 1))
        assert sign_flip(values, draws=4000)[0] == pytest.approx(sign_flip(values, draws=4096)[0], abs=0.03)
        assert flips(12, 4096, 0)[1]
        assert not flips(12, 4095, 0)[1]

    def test_hodges_lehmann_equals_a_double_loop(self, draw):
        values = draw.normal(size=11)
        assert hodges_lehmann(values) == pytest.approx(np.median([(values[i] + values[j]) / 2 for i in range(11) for j in range(i, 11)]))

    def test_effect_sizes_equal_their_formulas(self, draw):
        a, b = draw.normal(1, 1, (14, 1)), draw.normal(0, 1, (14, 1))
        found, change = compare(a, b), (a - b)[:, 0]
        assert found.d_z[0] == pytest.approx(stats.ttest_rel(a, b).statistic[0] / np.sqrt(14))
        assert hedges_factor(13) == pytest.approx(1 - 3 / (4 * 13 - 1), abs=2e-4)
        pooled = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
        assert found.g_av[0] == pytest.approx(hedges_factor(13) * change.mean() / pooled)
        assert found.p_wilcoxon[0] == pytest.approx(stats.wilcoxon(change).pvalue)

    def test_many_or_tied_values_use_the_normal_approximation(self, draw):
        tied = np.round(draw.normal(0.3, 1, 30), 1)
        assert signed_rank(tied) == pytest.approx(stats.wilcoxon(tied, method="asymptotic").pvalue)

    def test_missing_images_and_empty_columns(self):
        a = np.array([[1.0, np.nan, 2.0], [2.0, np.nan, 2.0], [np.nan, np.nan, 2.0], [4.0, 1.0, 2.0]])
        b = np.array([[0.0, 0.0, 2.0], [1.5, 0.0, 2.0], [0.0, 0.0, 2.0], [3.0, 0.0, 2.0]])
        found = compare(a, b)
        np.testing.assert_array_equal(found.n, [3, 1, 4])
        assert found.reason == ("", "a test over images needs at least 2 images", "all differences are zero")
        assert np.isfinite(found.p_sign_flip[0])
        assert np.isnan(found.p_sign_flip[1:]).all()
        assert found.p_sign_flip[0] == pytest.approx(2 / 8)  # all three signs alike: 2 of 8 flips

    def test_locations_are_those_of_the_differences(self, draw):
        a, b = draw.normal(1, 1, (9, 2)), draw.normal(0, 1, (9, 2))
        a[4, 1] = np.nan
        found = compare(a, b)
        for c in range(2):
            change = (a - b)[:, c][np.isfinite(a[:, c])]
            assert (found.mean[c], found.median[c]) == pytest.approx((change.mean(), np.median(change)))
            assert found.hodges_lehmann[c] == hodges_lehmann(change)
            assert found.p_wilcoxon[c] == signed_rank(change)
        np.testing.assert_array_equal([found.p_sign_flip, found.p_max_t], sign_flip(a - b))

    def test_the_exact_ranks_end_at_fifty_images(self, draw):
        values = draw.normal(0.3, 1, 51)
        for n, method in ((50, "exact"), (51, "asymptotic")):
            assert signed_rank(values[:n]) == stats.wilcoxon(values[:n], method=method).pvalue
        assert stats.wilcoxon(values[:50], method="asymptotic").pvalue != signed_rank(values[:50])
        with_zero = np.append(values[:8], 0.0)
        assert signed_rank(with_zero) == stats.wilcoxon(with_zero, method="asymptotic").pvalue
        assert np.isnan(signed_rank(values[:1]))

    def test_columns_that_are_ranked_together_have_the_p_of_each_alone(self, draw):
        """Of different lengths, with ties, zeros, and nothing to rank."""
        columns = [draw.normal(0.3, 1, n).round(digits) * kept for n in (0, 1, 2, 7, 7, 51) for digits in (0, 1, 9) for kept in (0, 1)]
        expected = []
        for values in columns:
            exact = 1 < len(values) <= 50 and values.all() and len(set(abs(values))) == len(values)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                p = stats.wilcoxon(values, method="exact" if exact else "asymptotic").pvalue if len(values) > 1 and values.any() else np.nan
            expected.append(p)
        np.testing.assert_array_equal(signed_ranks(columns), expected)
        assert np.isfinite(expected).sum() > 8

    def test_two_images_have_four_flips(self):
        assert [part[0] for part in sign_flip(np.array([[1.0], [2.0]]))] == [0.5, 0.5]

    def test_only_the_family_is_corrected(self, draw):
        values = draw.normal(0.5, 1, (10, 4))
        family = np.array([False, True, True, True])
        found = compare(values, np.zeros_like(values), family)
        np.testing.assert_allclose(found.p_max_t[1:], sign_flip(values[:, 1:])[1])
        assert np.isnan(found.p_max_t[0])


class TestTrend:
    @given(st.integers(3, 30), st.integers(0, 20))
    @settings(max_examples=40, deadline=None)
    def test_tau_and_slope_equal_scipy(self, steps, seed):
        draw = np.random.default_rng(seed)
        values = np.round(draw.normal(size=(steps, 1)), 1)  # ties
        where = np.arange(steps)
        np.testing.assert_allclose(kendall_tau(values)[0], stats.kendalltau(where, values[:, 0]).statistic, atol=1e-12, equal_nan=True)
        np.testing.assert_allclose(theil_sen(values)[0], stats.theilslopes(values[:, 0], where).slope, atol=1e-12)

    def test_missing_steps_are_left_out(self, draw):
        values = draw.normal(size=(12, 1))
        values[[2, 11]] = np.nan
        keep = np.isfinite(values[:, 0])
        assert kendall_tau(values)[0] == pytest.approx(stats.kendalltau(np.flatnonzero(keep), values[keep, 0]).statistic)
        assert theil_sen(values)[0] == pytest.approx(stats.theilslopes(values[keep, 0], np.flatnonzero(keep)).slope)

    def test_short_or_constant_series_have_none(self):
        assert np.isnan(kendall_tau(np.array([[1.0], [2.0]]))[0])
        assert np.isnan(kendall_tau(np.ones((9, 1)))[0])
        assert theil_sen(np.ones((9, 1)))[0] == 0


class TestMultiplicity:
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from(["holm", "bh"]))
    @settings(max_examples=25)
    def test_equals_statsmodels(self, p, method):
        with mock.patch("gc.collect"):  # which theirs calls every time
            theirs = multipletests(p, method={"holm": "holm", "bh": "fdr_bh"}[method])[1]
        np.testing.assert_allclose(adjust(np.array(p), method), theirs, atol=1e-12)

    def test_untestable_members_do_not_count(self):
        np.testing.assert_allclose(adjust(np.array([0.01, np.nan, 0.03])), [0.02, np.nan, 0.03])
        assert family_size(np.array([0.01, np.nan, 0.03])) == 2
        assert np.isnan(adjust(np.array([np.nan]))).all()

    def test_unknown_method_is_named(self):
        with pytest.raises(ValueError, match="must be one of holm, bh; got 'sidak'"):
            adjust(np.array([0.1]), "sidak")


class TestSwap:
    @staticmethod
    def rate(total):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total[..., 0] / total[..., 1])[None]

    def test_equals_a_loop_over_all_exchanges(self, draw):
        a, b = (np.stack([draw.poisson(m, 7), draw.poisson(5, 7) + 1.0], axis=1) for m in (3, 1))
        observed = abs(a[:, 0].sum() / a[:, 1].sum() - b[:, 0].sum() / b[:, 1].sum())
        reached = 0
        for exchange in itertools.product([False, True], repeat=7):
            x, y = a.copy(), b.copy()
            for i, swapped in enumerate(exchange):
                if swapped:
                    x[i], y[i] = b[i], a[i]
            reached += abs(x[:, 0].sum() / x[:, 1].sum() - y[:, 0].sum() / y[:, 1].sum()) >= observed - 1e-9
        assert swap_test(a, b, self.rate)[0] == pytest.approx(reached / 2**7)

    def test_equals_exact_mcnemar_on_shares(self, draw):
        a, b = (np.stack([draw.random(40) < share, np.ones(40)], axis=1).astype(float) for share in (0.6, 0.4))
        up, down = ((a - b)[:, 0] > 0).sum(), ((a - b)[:, 0] < 0).sum()
        exact = stats.binomtest(up, up + down).pvalue
        assert swap_test(a, b, self.rate)[0] == pytest.approx(exact, abs=0.02)

    def test_two_images_have_four_exchanges(self):
        assert swap_test(np.ones((2, 2)), np.array([[0.0, 1]] * 2), self.rate)[0] == 0.5

    def test_an_exchange_that_empties_an_arm_speaks_for_the_null(self):
        """Each arm has its only count on one image: where both lie in one arm, half of all exchanges, the other has no rate."""
        a, b = np.array([[1.0, 2], [0, 0], [0, 0]]), np.array([[0.0, 0], [0, 3], [0, 0]])
        assert swap_test(a, b, self.rate)[0] == 1
        a, b = np.array([[3.0, 3], [0, 0], [1, 4]]), np.array([[0.0, 0], [0, 3], [1, 4]])
        # 4/7 against 1/7; exchanges of the first two: as they are, both, or all counts in one arm (4/10 against 1/4); the third is alike
        assert swap_test(a, b, self.rate)[0] == 0.5

    def test_nothing_to_test(self):
        same = np.ones((5, 2))
        assert np.isnan(swap_test(same, same, self.rate)[0])
        assert np.isnan(swap_test(np.array([[1.0, 0.0]] * 3), np.array([[1.0, 2.0]] * 3), self.rate)[0])
        assert np.isnan(swap_test(same[:1], same[:1] * 2, self.rate)[0])


def test_intervals_do_not_hang_on_the_order_of_a_sum():
    """Values on a grid tie with their mean in many resamples; a sum in another order is off in its last digit."""
    values = np.random.default_rng(4).integers(-3, 4, (40, 6)) * 0.1
    noise = np.random.default_rng(5)

    def other_order(drawn):
        exact = mean(values)(drawn)
        return exact + 1e-17 * noise.integers(-9, 10, exact.shape)

    one, two = (cluster_bca(statistic, 40, resamples=999) for statistic in (mean(values), other_order))
    np.testing.assert_allclose(two.low, one.low, rtol=1e-9)
    np.testing.assert_allclose(two.high, one.high, rtol=1e-9)
