"""Power against closed formulas, and against the figures that the design of the comparisons rests on."""

import numpy as np
import pytest
from scipy import stats

from analysis.stats.power import Power, detectable, discordant, mcnemar_p, power, shifted_pilot, sign_flip_p


def t_p(sample):
    return stats.ttest_1samp(sample, 0).pvalue


def t_power(effect, n):
    """Of the two-sided one-sample t test, spread 1, from the noncentral t."""
    limit = stats.t.isf(0.025, n - 1)
    return stats.nct.sf(limit, n - 1, effect * np.sqrt(n)) + stats.nct.cdf(-limit, n - 1, effect * np.sqrt(n))


def exact_mcnemar_power(n, share, effect):
    """Sum over how many images differ, and how many of these go up."""
    total, up = 0.0, (share + effect) / 2 / share
    for differ in range(n + 1):
        weight = stats.binom.pmf(differ, n, share)
        if weight > 1e-9:
            ups = np.arange(differ + 1)
            p = np.minimum(1, 2 * np.minimum(stats.binom.cdf(ups, differ, 0.5), stats.binom.sf(ups - 1, differ, 0.5)))
            total += weight * stats.binom.pmf(ups, differ, up)[p <= 0.05].sum()
    return total


def gaussian(rng, n, effect):
    return rng.normal(effect, 1, n)


def test_equals_the_noncentral_t():
    found = power(gaussian, t_p, 20, 0.6, replications=600)
    assert found.low < t_power(0.6, 20) < found.high
    assert found.rate == found.rejected / 600


def test_mcnemar_equals_the_exact_sum():
    found = power(discordant(0.3), mcnemar_p, 60, 0.2, replications=300)
    assert found.low < exact_mcnemar_power(60, 0.3, 0.2) < found.high


@pytest.mark.parametrize(("n", "points", "expected"), [(500, 8, 0.98), (500, 4, 0.46), (200, 8, 0.67), (100, 12, 0.72)])
def test_the_figures_of_the_design_hold(n, points, expected):
    """Arms that differ on a fifth of the images; by the exact sum, to the percent that is quoted, or one beside it."""
    assert exact_mcnemar_power(n, 0.2, points / 100) == pytest.approx(expected, abs=0.02)


def test_the_same_seed_meets_the_same_chance():
    weak, strong = (power(gaussian, t_p, 15, effect, replications=200, seed=3) for effect in (0.3, 0.5))
    assert strong.rejected > weak.rejected
    assert power(gaussian, t_p, 15, 0.3, replications=200, seed=3) == weak


def test_the_smallest_effect_that_is_found():
    found = detectable(gaussian, t_p, 25, 2.0, replications=150, wanted=0.8, grain=0.03)
    assert found.rate >= 0.8
    assert t_power(found.effect, 25) == pytest.approx(0.8, abs=0.08)
    with pytest.raises(ValueError, match=r"detectable.largest must be an effect that is found with power 0.8; 0.1 has"):
        detectable(gaussian, t_p, 25, 0.1, replications=50)


def test_the_bracket_is_halved_to_its_grain_and_never_below_the_power_wanted():
    """A test that finds an effect exactly from 0.37 on, at p = alpha."""
    found = detectable(lambda rng, n, effect: effect, lambda effect: 0.2 if effect >= 0.37 else 0.3, 2, 1.0, replications=1, alpha=0.2)
    assert 0.37 <= found.effect <= 0.38
    assert (found.n, found.alpha, found.replications, found.rate) == (2, 0.2, 1, 1.0)


@pytest.mark.parametrize("wanted", [0.05, 1.0])
def test_power_that_cannot_be_wanted_is_named(wanted):
    with pytest.raises(ValueError, match=r"detectable.wanted must lie in \(alpha, 1\); got"):
        detectable(gaussian, t_p, 5, 1.0, wanted=wanted, replications=1)


def test_options_reach_every_sample():
    seen = []

    def simulate(rng, n, effect):
        seen.append((n, effect, rng.random()))
        return 0.0

    detectable(simulate, lambda sample: sample, 7, 0.5, replications=3, seed=5, grain=0.6)
    first = [np.random.default_rng(stream).random() for stream in np.random.SeedSequence(5).spawn(3)]
    assert seen == [(7, effect, chance) for effect in (0.5, 0.25)[: len(seen) // 3] for chance in first]
    assert len(seen) >= 3


class TestGenerators:
    def test_a_pilot_moved_to_an_effect_keeps_its_spread(self):
        pilot = np.append(np.random.default_rng(1).gamma(2, size=40), np.nan)
        drawn = shifted_pilot(pilot)(np.random.default_rng(0), 20_000, 0.7)
        assert drawn.mean() == pytest.approx(0.7, abs=0.05)
        assert drawn.std() == pytest.approx(np.nanstd(pilot), rel=0.05)
        assert set((drawn - 0.7 + np.nanmean(pilot)).round(9)) == set(pilot[:-1].round(9)), "its long tail stays on its side"
        assert power(shifted_pilot(pilot), sign_flip_p(199), 30, 1.5, replications=40).rate > 0.9

    def test_arms_differ_on_their_share_of_images(self):
        drawn = discordant(0.3)(np.random.default_rng(0), 50_000, 0.1)
        assert not drawn.all(axis=1).any()
        np.testing.assert_allclose(drawn.mean(axis=0), [0.2, 0.1], atol=0.01)

    def test_what_cannot_be_drawn_is_named(self):
        with pytest.raises(ValueError, match=r"discordant.effect cannot be larger than the share"):
            power(discordant(0.1), mcnemar_p, 10, 0.2, replications=1)
        with pytest.raises(ValueError, match=r"discordant.share must lie in \(0, 1\]; got 0"):
            discordant(0.0)
        with pytest.raises(ValueError, match=r"shifted_pilot.differences must hold at least 2 images; got 1"):
            shifted_pilot(np.array([1.0, np.nan]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 1}, "power.n must be at least 2 images; got 1"),
        ({"replications": 0}, "power.replications must be positive; got 0"),
        ({"alpha": 1.0}, r"power.alpha must lie in \(0, 1\); got 1"),
    ],
)
def test_options_that_are_none_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        power(gaussian, t_p, **{"n": 5, "effect": 0.1, **options})


def test_limits_are_wilsons():
    found = Power(10, 0.1, 0.05, 30, 100)
    assert (found.low, found.high) == pytest.approx(tuple(stats.binomtest(30, 100).proportion_ci(0.95, method="wilson")))
