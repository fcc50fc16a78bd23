"""Curves against a table by hand and statsmodels; level and coverage with ends that compete and images that arms share."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from analysis.stats.bootstrap import cluster_bca
from analysis.stats.calibration import models
from analysis.stats.calibration.simulation import run
from analysis.stats.calibration.table import outside
from analysis.stats.lifetable import CENSORED, END, EVENT, MISSING, counts, table
from analysis.stats.survival import hazard_ratio, split_hazard_ratio, survival


def captions(draw, images=60, hazard=(0.12, 0.12), ending=0.15, spread=1.0, most=15):
    """First event or end of each arm; an image's proneness is shared by its arms."""
    prone = np.exp(spread * draw.normal(size=images) - spread**2 / 2)[:, None]
    chance = np.clip(np.array(hazard) * prone, 0, 0.9)
    event = draw.geometric(chance)
    end = draw.geometric(ending, size=event.shape)
    time = np.minimum(np.minimum(event, end), most)
    return time, np.where(time == event, EVENT, np.where(time == end, END, CENSORED))


def test_a_table_by_hand():
    """Seven captions: event at 1, 2, 2; end at 1, 3; lost at 2; event at 4."""
    time = np.array([1, 2, 2, 1, 3, 2, 4])
    kind = np.array([EVENT, EVENT, EVENT, END, END, CENSORED, EVENT])
    found = table(counts(time, kind, 4).sum(axis=0))
    np.testing.assert_array_equal(found.at_risk, [7, 5, 2, 1])
    np.testing.assert_array_equal(found.events, [1, 2, 0, 1])
    np.testing.assert_array_equal(found.ends, [1, 0, 1, 0])
    np.testing.assert_allclose(found.hazard, [1 / 7, 2 / 5, 0, 1])
    np.testing.assert_allclose(found.survival, [6 / 7, 6 / 7 * 3 / 5, 6 / 7 * 3 / 5, 0])
    np.testing.assert_allclose(found.incidence, [1 / 7, 1 / 7 + 5 / 7 * 2 / 5, 1 / 7 + 2 / 7, 3 / 7 + 5 / 7 * 3 / 5 * 1 / 2])
    assert found.mean_free == pytest.approx(1 + 6 / 7 + 18 / 35 + 18 / 35)
    assert found.mean_lost == pytest.approx(1 / 7 + 3 / 7 + 3 / 7)


def test_curves_equal_statsmodels():
    time, kind = captions(np.random.default_rng(0))
    found = survival(time, kind, resamples=49, draws=49)
    for arm in range(2):
        theirs = SurvfuncRight(time[:, arm], kind[:, arm] == EVENT)
        at = theirs.surv_times.astype(int) - 1
        np.testing.assert_allclose(found.curves["survival"].estimate[arm, at], theirs.surv_prob)
        np.testing.assert_allclose(found.table.at_risk[arm, at], theirs.n_risk)
        kinds = CumIncidenceRight(time[:, arm], kind[:, arm])
        np.testing.assert_allclose(found.curves["incidence"].estimate[arm, kinds.times.astype(int) - 1], kinds.cinc[0])


def test_without_ends_survival_and_incidence_are_one():
    time, kind = captions(np.random.default_rng(1), ending=1e-9)
    found = survival(time, kind, resamples=49, draws=49)
    np.testing.assert_allclose(found.curves["survival"].estimate + found.curves["incidence"].estimate, 1)
    np.testing.assert_allclose(found.means["mean_free"][:, 0] + found.means["mean_lost"][:, 0], found.horizon)


def test_the_horizon_censors_and_a_missing_arm_takes_no_part():
    time, kind = captions(np.random.default_rng(2))
    cut = survival(time, kind, horizon=4, resamples=49, draws=49)
    at_four = survival(np.minimum(time, 4), np.where(time > 4, CENSORED, kind), resamples=49, draws=49)
    np.testing.assert_array_equal(cut.table.ends, at_four.table.ends)
    np.testing.assert_array_equal(cut.curves["incidence"].estimate, at_four.curves["incidence"].estimate)
    kind[:20, 1] = MISSING
    kind[-1] = MISSING
    found = survival(time, kind, resamples=199, draws=199)
    assert found.n_images == 59
    assert found.table.at_risk[:, 0].tolist() == [59, 39]
    contrast = found.contrasts[0]["mean_free"]
    assert contrast.n_images == 39
    both = survival(time[20:-1], kind[20:-1], resamples=49, draws=49).means["mean_free"][:, 0]
    assert contrast.estimate == pytest.approx(both[1] - both[0])


def test_each_arm_is_compared_with_the_first_whatever_the_others_are():
    time, kind = captions(np.random.default_rng(8), images=25, hazard=(0.1, 0.3, 0.2))
    kind[3, 2] = kind[7, 0] = MISSING
    options = {"horizon": 6, "level": 0.8, "resamples": 49, "draws": 49, "seed": 2}
    three = survival(time, kind, **options)
    assert len(three.contrasts) == 2
    for arm in (1, 2):
        two = survival(time[:, [0, arm]], kind[:, [0, arm]], **options)
        assert three.contrasts[arm - 1] == two.contrasts[0]
    fit, effects = hazard_ratio(time, kind)
    assert effects == (fit.effects["arm 1"], fit.effects["arm 2"])
    assert effects[0].estimate > effects[1].estimate > 0


def test_limits_of_curves_and_means_are_those_of_each_by_itself():
    time, kind = captions(np.random.default_rng(9), images=12)
    found = survival(time, kind, horizon=4, level=0.8, resamples=29, draws=9, seed=3)
    each = counts(time, kind, 4)
    for arm in range(2):
        own = each[:, arm]

        def of(name, own=own):
            def statistic(drawn):
                value = np.array(
                    [np.atleast_1d(getattr(table(own[rows].sum(axis=0)), name)) for rows in drawn.reshape(-1, drawn.shape[-1])]
                )
                return np.moveaxis(value.reshape(*drawn.shape[:-1], -1), -1, 0)

            return cluster_bca(statistic, 12, level=0.8, resamples=29, seed=3)

        for name in ("survival", "incidence", "hazard"):
            slow, band = of(name), found.curves[name]
            for part in ("estimate", "low", "high"):
                np.testing.assert_allclose(getattr(band, part)[arm], getattr(slow, part), err_msg=f"{name} {part}")
        for name in ("mean_free", "mean_lost"):
            slow = of(name)
            np.testing.assert_allclose(found.means[name][arm], [slow.estimate[0], slow.low[0], slow.high[0]])


def test_planted_arms_differ_with_the_right_sign():
    time, kind = captions(np.random.default_rng(3), images=300, hazard=(0.2, 0.08))
    found = survival(time, kind, resamples=199, draws=999).contrasts[0]
    assert found["mean_free"].low > 0
    assert found["mean_lost"].high < 0
    assert found["incidence"].p <= 0.01
    ratio, low, high = hazard_ratio(time, kind)[1][0].ratio("unit")
    assert low < ratio < high < 1
    assert low < 0.08 / 0.2 + 0.15
    assert found["incidence"].reason == ""


def test_the_hazard_ratio_of_a_constant_hazard_is_the_ratio_of_logs():
    """Without image effects, cloglog of a constant hazard is log(-log(1 - h)); Monte-Carlo error of 4000 captions."""
    time, kind = captions(np.random.default_rng(4), images=2000, hazard=(0.2, 0.1), spread=0)
    effect = hazard_ratio(time, kind)[1][0]
    assert effect.estimate == pytest.approx(np.log(np.log(0.9) / np.log(0.8)), abs=4 * effect.se)
    assert effect.se < 0.08


def test_a_hazard_ratio_is_of_the_decisions_at_risk_up_to_the_last_event():
    time, kind = captions(np.random.default_rng(5), images=30)
    kind[time > 6], kind[4, 0] = END, MISSING
    subjects = [(t, k) for t, k in zip(time.ravel(), kind.ravel(), strict=True) if k != MISSING]
    last = max(t for t, k in subjects if k == EVENT)
    fit = hazard_ratio(time, kind)[0]
    assert last <= 6 < time.max()
    assert fit.n_cases == sum(min(t, last) for t, _ in subjects)
    assert fit.n_events == sum(k == EVENT for _, k in subjects)
    assert fit.n_images == 30
    at_first = hazard_ratio(time, np.where((kind == EVENT) & (time > 1), END, kind))[0]
    assert at_first.n_cases == len(subjects)
    assert at_first.reason == "time 1 does not vary"


def drawn(rng, hazards, images=1500):
    """Times and kinds of two arms with a hazard of their own in each of many times; captions end after twelve."""
    time, kind = np.full((images, 2), len(hazards[0])), np.full((images, 2), END)
    for arm, hazard in enumerate(hazards):
        hit = rng.random((images, len(hazard))) < np.asarray(hazard)
        happened = hit.any(1)
        time[happened, arm], kind[happened, arm] = hit.argmax(1)[happened] + 1, EVENT
    return time, kind


def test_two_hazard_ratios_are_told_where_one_would_hide_them():
    """Equal up to the fifth time, twice the log-hazard later; without image effects cloglog of h is log(-log(1 - h))."""
    later = 1 - 0.9**2
    time, kind = drawn(np.random.default_rng(6), ([0.1] * 12, [0.1] * 5 + [later] * 7))
    found = split_hazard_ratio(time, kind, 5)
    assert found.early.estimate == pytest.approx(0, abs=3 * found.early.se)
    assert found.late.estimate == pytest.approx(np.log(2), abs=3 * found.late.se)
    assert found.change.p < 1e-4
    # the second fit is the first in other coordinates
    assert found.change.estimate == pytest.approx(found.late.estimate - found.early.estimate, abs=1e-6)
    whole = hazard_ratio(time, kind)[1][0].estimate
    assert found.early.estimate < whole < found.late.estimate


@pytest.mark.slow
def test_proportional_hazards_are_rejected_as_often_as_stated():
    rng = np.random.default_rng(7)
    p = [split_hazard_ratio(*drawn(rng, ([0.1] * 12, [0.16] * 12), images=100), 5).change.p for _ in range(25)]
    assert np.mean(np.array(p) < 0.05) < 0.185  # 5 %, three standard errors above


def test_what_cannot_be_has_an_error_or_a_reason():
    time, kind = np.ones((12, 2), dtype=int), np.full((12, 2), END)
    quiet = survival(time, kind, resamples=49, draws=49)
    assert np.isnan(quiet.contrasts[0]["incidence"].p)
    assert quiet.contrasts[0]["incidence"].reason == "no variation between images"
    assert hazard_ratio(time, kind)[0].reason == "all labels are the same"
    lone = survival(time[:1], kind[:1], resamples=49, draws=49)
    assert lone.contrasts[0]["mean_free"].reason == "an interval needs at least 2 images with both arms"
    for bad, law in (((time * 0, kind), "1 or later; got 0"), ((time, kind + 5), "got 7"), ((time, kind * 0 - 1), "got none")):
        with pytest.raises(ValueError, match=law):
            survival(*bad)
    with pytest.raises(ValueError, match="horizon must be a positive integer; got 0"):
        survival(time, kind, horizon=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["first events", "hazard ratio"])
def test_levels_and_coverages(name):
    """40 samples: 5 % (95 %) is found to 3.4 points."""
    (simulation,) = [one for one in models.SIMULATIONS if one.name == name]
    missed = [one for one in run(simulation, 40) if not one.holds]
    assert not missed, outside(missed)
