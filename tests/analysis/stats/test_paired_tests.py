"""McNemar's test and equivalence against other implementations, published tables and, in the slow tier, simulation under the null."""

import inspect

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.weightstats import ttost_paired

from analysis.stats.bootstrap import cluster_bca, difference, mean, ratio
from analysis.stats.equivalence import equivalence, paired_equivalence
from analysis.stats.mcnemar import mcnemar, paired_difference

cells = st.integers(0, 40)
law = settings(deadline=None, max_examples=40)


def answers(both: int, only_treated: int, only_control: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Two arms' yes and no with these counts, in an order that mixes them."""
    treated = np.repeat([True, True, False, False], [both, only_treated, only_control, neither])
    control = np.repeat([True, False, True, False], [both, only_treated, only_control, neither])
    order = np.random.default_rng(0).permutation(len(treated))
    return treated[order], control[order]


class TestMcNemar:
    @law
    @given(cells, cells, cells, cells)
    def test_p_equals_the_binomial_test_of_statsmodels(self, both, up, down, neither):
        assume(both + up + down + neither > 0)
        treated, control = answers(both, up, down, neither)
        found = mcnemar(treated, control)
        assert (found.n, found.only_treated, found.only_control) == (both + up + down + neither, up, down)
        assert found.p == pytest.approx(statsmodels_mcnemar([[both, up], [down, neither]], exact=True).pvalue, abs=1e-12)
        assert found.difference == pytest.approx(treated.mean() - control.mean())

    def test_no_image_gives_no_p(self):
        assert np.isnan(mcnemar(*answers(0, 0, 0, 0)).p)

    @pytest.mark.parametrize(
        ("table", "low", "high"),
        [
            # complete response before and after consolidation (Cavo et al. 2012), as Fagerland, Lydersen and Laake tabulate it
            ((59, 6, 16, 80), -0.1186, -0.0046),
            # Altman et al., Statistics with confidence (2000), table 6.2, from memory and not checked against the book (1 % and 23 %)
            ((14, 5, 0, 22), 0.0115, 0.2265),
        ],
    )
    def test_interval_equals_published_ones(self, table, low, high):
        assert paired_difference(*table) == pytest.approx((low, high), abs=5e-5)

    @law
    @given(cells, cells, cells, cells, st.sampled_from([0.8, 0.9, 0.95]))
    def test_interval_has_the_symmetries_of_a_difference(self, both, up, down, neither, level):
        assume(both + up + down + neither > 0)
        low, high = paired_difference(both, up, down, neither, level)
        assert -1 - 1e-12 <= low <= (up - down) / (both + up + down + neither) <= high <= 1 + 1e-12
        # exchanging the arms, and exchanging yes and no, turn the interval round
        assert paired_difference(both, down, up, neither, level) == pytest.approx((-high, -low), abs=1e-12)
        assert paired_difference(neither, down, up, both, level) == pytest.approx((-high, -low), abs=1e-12)

    def test_without_a_difference(self):
        found = mcnemar(*answers(3, 0, 0, 7))
        assert (found.p, found.difference) == (1.0, 0.0)
        assert found.low < 0 < found.high

    def test_level_out_of_range_is_named(self):
        for level in (0.0, 1.0):
            with pytest.raises(ValueError, match=r"mcnemar.level must lie in \(0, 1\); got [01]"):
                mcnemar(*answers(1, 1, 1, 1), level=level)

    def test_the_level_is_that_of_the_interval(self):
        found = mcnemar(*answers(9, 6, 2, 8), level=0.7)
        assert (found.low, found.high) == paired_difference(9, 6, 2, 8, 0.7) != paired_difference(9, 6, 2, 8)

    def test_arms_that_are_not_yes_or_no_on_the_same_images_are_refused(self):
        yes = np.ones(3, dtype=bool)
        for treated, control in ((yes, yes[:2]), (yes.astype(int), yes), (yes, yes.astype(int))):
            with pytest.raises((ValueError, TypeError), match="mcnemar"):
                mcnemar(treated, control)
            if len(treated) == len(control):  # without the check of types that tests add, `~1` is -2
                with pytest.raises((ValueError, TypeError), match="mcnemar"):
                    inspect.unwrap(mcnemar)(treated, control)

    @pytest.mark.slow
    def test_size_and_coverage_under_the_null(self):
        draw, runs = np.random.default_rng(1), 1500
        tables = draw.multinomial(60, [0.15, 0.1, 0.1, 0.65], runs)
        found = [mcnemar(*answers(*table)) for table in tables]
        assert np.mean([one.p <= 0.05 for one in found]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
        covered = np.mean([one.low <= 0 <= one.high for one in found])
        assert 0.93 <= covered <= 0.985


def loop_tost(treated, control, margin):
    """Two one-sided t tests written out, one number at a time."""
    changes = [t - c for t, c in zip(treated, control, strict=True) if np.isfinite(t - c)]
    n, centre = len(changes), sum(changes) / len(changes)
    error = (sum((c - centre) ** 2 for c in changes) / (n - 1) / n) ** 0.5
    return 1 - stats.t.cdf((centre + margin) / error, n - 1), stats.t.cdf((centre - margin) / error, n - 1)


class TestPairedEquivalence:
    @pytest.mark.parametrize("margin", [0.1, 0.3, 0.8])
    def test_equals_statsmodels(self, margin):
        draw = np.random.default_rng(2)
        control = draw.normal(size=(30, 4))
        treated = control + draw.normal([0, 0.1, -0.2, 1], 0.5, (30, 4))
        found = paired_equivalence(treated, control, margin)
        for c in range(4):
            p, lower, _ = ttost_paired(treated[:, c], control[:, c], -margin, margin)
            assert (found.p[c], found.p_not_inferior[c]) == pytest.approx((p, lower[1]), abs=1e-12)
        assert (found.equivalent == (found.p < 0.05)).all()
        assert (found.not_inferior == (found.p_not_inferior < 0.05)).all()

    def test_an_image_without_a_value_takes_no_part(self):
        draw = np.random.default_rng(3)
        treated, control = draw.normal(size=(12, 2)), draw.normal(size=(12, 2))
        treated[4, 0] = control[7, 0] = np.nan
        found = paired_equivalence(treated, control, 0.5)
        for c in range(2):
            low, high = loop_tost(treated[:, c], control[:, c], 0.5)
            assert (found.p_not_inferior[c], found.p[c]) == pytest.approx((low, max(low, high)), abs=1e-12)

    def test_limits_are_those_of_the_t_interval(self):
        draw = np.random.default_rng(9)
        treated, control = draw.normal(size=(7, 2)), draw.normal(size=(7, 2))
        treated[1, 1] = np.nan
        found = paired_equivalence(treated, control, 0.4, level=0.7)
        for c in range(2):
            change = (treated - control)[:, c][np.isfinite((treated - control)[:, c])]
            low, high = stats.t.interval(0.7, len(change) - 1, change.mean(), stats.sem(change))
            assert (found.estimate[c], found.low[c], found.high[c]) == pytest.approx((change.mean(), low, high))
        two = paired_equivalence(treated[:2, :1], control[:2, :1], 0.4)
        assert two.reason == ("",)
        for level in (0.0, 1.0):
            with pytest.raises(ValueError, match=r"paired_equivalence.level must lie in \(0, 1\); got"):
                paired_equivalence(treated, control, 0.4, level)

    def test_what_cannot_be_tested_is_not_called_equivalent(self):
        columns = np.array([[0.0, np.nan, 0.0], [0.0, np.nan, np.nan], [0.0, np.nan, np.nan]])
        found = paired_equivalence(columns, np.zeros((3, 3)), 0.5)
        assert not found.equivalent.any()
        assert not found.not_inferior.any()
        assert np.isnan(found.p).all()
        assert [reason.split(":")[0] for reason in found.reason] == [
            "no variation between images",
            "no image has a value in both arms",
            "a test over images needs at least 2 images",
        ]


class TestEquivalence:
    @staticmethod
    def f1_difference(draw, images):
        """Difference of two F1, ratios of sums: 2 TP / (2 TP + FP + FN)."""
        base = draw.poisson(3, (images, 1)) + 1.0
        arms = [ratio(2 * base + draw.poisson(1, base.shape), 2 * base + 3 + draw.poisson(1, base.shape)) for _ in "ab"]
        return difference(*arms)

    def test_interval_is_the_cluster_interval(self):
        statistic = self.f1_difference(np.random.default_rng(4), 40)
        found, interval = (
            equivalence(statistic, 40, 0.05, resamples=999, seed=7),
            cluster_bca(statistic, 40, level=0.9, resamples=999, seed=7),
        )
        assert (found.low, found.high, found.estimate) == (interval.low, interval.high, interval.estimate)

    @pytest.mark.parametrize("level", [0.8, 0.9])
    @pytest.mark.parametrize("seed", range(4))
    def test_p_reaches_the_level_where_the_interval_touches_the_margin(self, seed, level):
        draw = np.random.default_rng(seed)
        values = draw.gamma(0.7, size=(25, 1)) - 0.7  # skewed, so that bias and acceleration matter
        interval = cluster_bca(mean(values), 25, level=level, resamples=999, seed=seed)
        for limit in (interval.low[0], interval.high[0]):
            for nudge in (1 - 1e-3, 1 + 1e-3):
                found = equivalence(mean(values), 25, abs(limit) * nudge, level, seed, resamples=999)
                assert found.equivalent[0] == (found.p[0] < (1 - level) / 2)
                assert found.not_inferior[0] == (found.p_not_inferior[0] < (1 - level) / 2)
        below = equivalence(mean(values), 25, -interval.low[0], level, seed, resamples=999)
        assert below.p_not_inferior[0] == pytest.approx((1 - level) / 2, abs=1e-6)

    def test_agrees_with_the_t_test_on_many_images(self):
        draw = np.random.default_rng(5)
        values = draw.normal(0.05, 1, (400, 1))
        for margin in (0.1, 0.15, 0.2):
            ours, theirs = equivalence(mean(values), 400, margin, resamples=2999), paired_equivalence(values, np.zeros_like(values), margin)
            assert ours.p[0] == pytest.approx(theirs.p[0], abs=0.02)

    def test_p_does_not_hang_on_the_order_of_a_sum(self):
        """Values on a grid tie with their mean in many resamples; a sum in another order is off in its last digit."""
        values = np.random.default_rng(4).integers(-3, 4, (40, 6)) * 0.1
        noise = np.random.default_rng(5)

        def other_order(drawn):
            exact = mean(values)(drawn)
            return exact + 1e-17 * noise.integers(-9, 10, exact.shape)

        one, two = (equivalence(statistic, 40, 0.08, resamples=999) for statistic in (mean(values), other_order))
        np.testing.assert_allclose(two.p, one.p, rtol=1e-6)

    def test_p_of_values_with_ties_by_a_loop_over_resamples(self):
        """Efron's bias and acceleration written out, resamples that equal the estimate counted half."""
        values = np.random.default_rng(3).choice([-1, 0, 0, 0, 1, 4], 15).astype(float)
        found = equivalence(mean(values[:, None]), 15, 1.25, seed=2, resamples=200)
        drawn = sorted(sum(values[i] for i in images) / 15 for images in np.random.default_rng(2).integers(0, 15, (200, 15)))
        centre = values.sum() / 15
        below, equal = sum(one < centre for one in drawn), sum(one == centre for one in drawn)
        assert equal > 5
        bias = stats.norm.ppf((below + equal / 2) / 200)
        apart = [centre - (values.sum() - value) / 14 for value in values]
        skew = sum(one**3 for one in apart) / (6 * sum(one**2 for one in apart) ** 1.5)

        def chance_below(bound):
            turned = stats.norm.ppf(np.clip(np.interp(bound, drawn, np.linspace(0, 1, 200)), 1 / 201, 200 / 201)) - bias
            return stats.norm.cdf(turned / (1 + skew * turned) - bias)

        assert found.p[0] == pytest.approx(1 - chance_below(1.25))
        assert 0.01 < found.p[0] < 0.5
        assert found.p_not_inferior[0] == pytest.approx(max(chance_below(-1.25), 1 / 201))

    @law
    @given(st.floats(0.01, 0.5), st.floats(1.01, 3))
    def test_a_wider_margin_is_never_harder(self, margin, wider):
        statistic = self.f1_difference(np.random.default_rng(6), 20)
        narrow, wide = (equivalence(statistic, 20, size, resamples=99) for size in (margin, margin * wider))
        assert wide.p[0] <= narrow.p[0]
        assert wide.equivalent[0] >= narrow.equivalent[0]

    def test_what_cannot_be_tested_is_not_called_equivalent(self):
        for values in (np.ones((9, 1)) * 0.01, np.full((9, 1), np.nan), np.ones((1, 1)) * 0.01):
            found = equivalence(mean(values), len(values), 0.5, resamples=99)
            assert not found.equivalent[0]
            assert np.isnan(found.p[0])
            assert found.reason[0]

    @pytest.mark.parametrize("margin", [0.0, -0.1, np.nan, np.inf])
    def test_margin_out_of_range_is_named(self, margin):
        with pytest.raises(ValueError, match=r"equivalence\.margin must be positive"):
            equivalence(mean(np.ones((3, 1))), 3, margin)

    @pytest.mark.slow
    def test_size_on_the_edge_of_the_margin(self):
        # the true difference is the margin itself: equivalence must be declared in no more than 5 %
        draw, runs, margin, called = np.random.default_rng(8), 300, 0.1, 0
        for run in range(runs):
            base = draw.poisson(4, (80, 1)) + 1.0
            first, second = (draw.binomial(base.astype(int), share).astype(float) for share in (0.4 + margin, 0.4))
            called += equivalence(difference(ratio(first, base), ratio(second, base)), 80, margin, seed=run, resamples=199).equivalent[0]
        assert called / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
        assert called / runs >= 0.02
