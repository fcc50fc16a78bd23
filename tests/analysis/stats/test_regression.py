"""Logistic regressions against statsmodels called directly and a case known by hand; every failure has its reason."""

import numpy as np
import patsy
import pytest
import statsmodels.api as sm
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.discrete.conditional_models import ConditionalLogit

from analysis.stats.calibration import models
from analysis.stats.calibration.simulation import run
from analysis.stats.calibration.table import outside
from analysis.stats.regression import conditional_logit, gee_logistic, natural_spline
from analysis.stats.separation import separated


def cases(draw, images=40, length=8, effect=0.6, spread=1.0):
    """Labels that depend on a score within images and on the image."""
    image = np.repeat(np.arange(images), length)
    score, position = 3 * draw.normal(size=len(image)), np.tile(np.arange(float(length)), images)
    rate = norm.cdf(-0.8 + spread * draw.normal(size=images)[image] + effect * score / 3)
    return draw.random(len(image)) < rate, {"score": score, "position": position}, image


def test_gee_equals_statsmodels():
    label, design, image = cases(np.random.default_rng(0))
    found = gee_logistic(label, design, np.array([f"image {i}" for i in image]))
    exog = sm.add_constant(np.column_stack(list(design.values())))
    model = sm.GEE(label.astype(float), exog, groups=image, family=sm.families.Binomial(), cov_struct=sm.cov_struct.Exchangeable())
    theirs = model.fit(cov_type="bias_reduced")
    assert [one.estimate for one in found.effects.values()] == pytest.approx(theirs.params[1:], rel=1e-5)
    assert [one.se for one in found.effects.values()] == pytest.approx(theirs.bse[1:], rel=1e-5)
    one = found.effects["score"]
    assert one.ratio("unit")[0] == pytest.approx(np.exp(one.estimate))
    assert one.ratio() == pytest.approx(tuple(np.exp(np.array([one.estimate, one.low, one.high]) * design["score"].std())))
    assert (found.n_images, found.n_cases, found.n_events) == (40, 320, label.sum())


def test_hazards_equal_statsmodels_without_correlation():
    label, design, image = cases(np.random.default_rng(4))
    found = gee_logistic(label, design, image, link="cloglog", structure="independence", level=0.8)
    exog = sm.add_constant(np.column_stack(list(design.values())))
    family = sm.families.Binomial(sm.families.links.CLogLog())
    theirs = sm.GEE(label.astype(float), exog, groups=image, family=family).fit(cov_type="bias_reduced")
    for place, one in enumerate(found.effects.values(), 1):
        estimate, se = theirs.params[place], theirs.bse[place]
        assert (one.estimate, one.se) == pytest.approx((estimate, se), rel=1e-4)
        reach = student.ppf(0.9, 40 - 3) * one.se
        assert (one.low, one.high) == pytest.approx((one.estimate - reach, one.estimate + reach))
        assert one.p == pytest.approx(2 * student.sf(abs(one.estimate / one.se), 40 - 3))
    assert [one.sd for one in found.effects.values()] == pytest.approx([column.std() for column in design.values()])


def test_conditional_logit_equals_statsmodels():
    label, design, image = cases(np.random.default_rng(1))
    found = conditional_logit(label, design, image)
    both = np.array([0 < label[image == i].sum() < 8 for i in range(40)])
    kept = both[image]
    exog = np.column_stack([column - column.mean() for column in design.values()])[kept]
    theirs = ConditionalLogit(label[kept].astype(float), exog, groups=image[kept]).fit(disp=0)
    assert [one.estimate for one in found.effects.values()] == pytest.approx(theirs.params, rel=1e-3)
    assert [one.se for one in found.effects.values()] == pytest.approx(theirs.bse, rel=1e-3)
    assert (found.n_images, found.n_cases, found.n_events) == (both.sum(), kept.sum(), label[kept].sum())
    one = conditional_logit(label, design, image, level=0.8).effects["score"]
    assert (one.low, one.high) == pytest.approx((one.estimate - norm.ppf(0.9) * one.se, one.estimate + norm.ppf(0.9) * one.se))


@pytest.mark.parametrize("fit", [gee_logistic, conditional_logit])
def test_cases_may_come_in_any_order(fit):
    """Images of several lengths, their cases mixed: each case stays with its image."""
    draw = np.random.default_rng(5)
    label, design, image = cases(draw, images=30)
    kept = draw.permutation(240)[:170]
    mixed, sorted_ = (
        fit(label[order], {name: column[order] for name, column in design.items()}, image[order]) for order in (kept, np.sort(kept))
    )
    for one, other in zip(mixed.effects.values(), sorted_.effects.values(), strict=True):
        assert (one.estimate, one.se, one.p) == pytest.approx((other.estimate, other.se, other.p), rel=1e-6)


def test_matched_pairs_give_the_log_ratio_of_discordant_pairs():
    """One positive and one negative an image, a binary covariate: log(b / c), variance 1/b + 1/c; concordant pairs say nothing."""
    exposed = [(1, 0)] * 14 + [(0, 1)] * 5 + [(1, 1)] * 7 + [(0, 0)] * 9
    column = np.array(exposed, dtype=float).ravel()
    found = conditional_logit(np.tile([True, False], 35), {"exposed": column}, np.repeat(np.arange(35), 2)).effects["exposed"]
    assert found.estimate == pytest.approx(np.log(14 / 5), abs=1e-4)
    assert found.se == pytest.approx(np.sqrt(1 / 14 + 1 / 5), abs=1e-3)
    assert found.p == pytest.approx(2 * norm.sf(np.log(14 / 5) / np.sqrt(1 / 14 + 1 / 5)), abs=1e-3)


def test_what_cannot_be_fitted_has_a_reason():
    label, design, image = cases(np.random.default_rng(2))
    score = design["score"]
    for fit, inside in ((gee_logistic, ""), (conditional_logit, " within images")):
        reasons = {
            "the columns separate the labels" + inside: (label, {"score": np.where(label, 1.0, -1.0) * (1 + np.abs(score))}, image),
            "score does not vary" + inside: (label, {"score": np.ones(320)}, image),
            "the columns are collinear" + inside: (label, {"score": score, "twice": 2 * score + 1}, image),
            "all labels are the same" + inside: (np.ones(320, dtype=bool), design, image),
            "the design has no column": (label, {}, image),
        }
        for reason, arguments in reasons.items():
            found = fit(*arguments)
            assert found.reason == reason
            assert all(np.isnan([one.estimate, one.p]).all() for one in found.effects.values())
        twice = {"score": score, "twice": 2 * score + 1e-9 * np.random.default_rng(3).normal(size=320)}
        assert fit(label, twice, image).reason == "the columns are collinear" + inside, "but for rounding"
    assert gee_logistic(label[:64], {"score": score[:64]}, image[:64]).reason == "needs at least 10 images, got 8"
    assert gee_logistic(label[:80], {"score": score[:80]}, image[:80]).reason == ""
    nine = {f"score {number}": np.random.default_rng(number).normal(size=320) for number in range(9)}
    few = gee_logistic(label[:88], {name: column[:88] for name, column in nine.items()}, image[:88])
    assert few.reason == "needs at least 12 images, got 11", "of nine columns and an intercept, and two more"
    of_image = conditional_logit(label, {"score": image.astype(float)}, image)
    assert of_image.reason == "score does not vary within images"
    assert (
        conditional_logit(image[:16] + score[:16] > 0.5, {"score": score[:16] ** 2}, image[:16]).reason == "needs at least 3 images, got 2"
    )
    large = np.random.default_rng(0).normal(size=1803)
    many = conditional_logit(np.arange(1803) % 3 == 0, {"score": large}, np.arange(1803) // 601)
    assert many.reason == "an image has more than 500 cases"
    with pytest.raises(ValueError, match="must be one of logit, cloglog; got 'probit'"):
        gee_logistic(label, design, image, link="probit")
    with pytest.raises(ValueError, match="must be one of exchangeable, independence"):
        gee_logistic(label, design, image, structure="ar")
    with pytest.raises(ValueError, match="must be sd or unit"):
        gee_logistic(label, design, image).effects["score"].ratio("image")


def test_a_case_with_a_missing_column_takes_no_part():
    label, design, image = cases(np.random.default_rng(3))
    design["score"][:16] = np.nan
    found, fewer = gee_logistic(label, design, image), gee_logistic(label[16:], {k: v[16:] for k, v in design.items()}, image[16:])
    assert found == fewer
    assert found.n_images == 38


def test_separation_is_found_only_where_it_is():
    x = np.array([[1.0], [2], [3], [3], [4], [5]])
    assert separated(x, x[:, 0] > 3)
    assert separated(x, np.array([False, False, False, True, True, True]))  # all but a tie: no finite estimate either
    assert not separated(x, np.array([False, True, False, True, False, True]))
    assert not separated(x[:0], x[:0, 0] > 3)
    within = np.array([0, 1, 0, 1, 0, 1])
    label = np.array([False, False, True, True, True, True])
    assert separated(np.array([[1.0], [7], [3], [8], [4], [9]]), label, within)
    assert not separated(np.array([[1.0], [7], [3], [8], [0], [9]]), label, within)


@pytest.mark.parametrize("degrees", [2, 3, 5])
def test_the_spline_spans_patsys_natural_cubic(degrees):
    values = np.random.default_rng(0).gamma(2, 5, 60)
    ours = np.column_stack(list(natural_spline(values, "position", degrees).values()))
    knots = np.quantile(values, np.linspace(0, 1, degrees + 1))
    theirs = np.asarray(
        patsy.dmatrix("cr(x, knots=k, lower_bound=a, upper_bound=b) - 1", {"x": values, "k": knots[1:-1], "a": knots[0], "b": knots[-1]})
    )
    ours = np.column_stack([np.ones(60), ours])
    assert ours.shape[1] == theirs.shape[1] == np.linalg.matrix_rank(np.column_stack([ours, theirs]))


def test_a_spline_of_few_values_has_fewer_columns():
    two = natural_spline(np.array([2.0, 2, 2, 6, np.nan]), "step", 3)
    assert list(two) == ["step 1"]
    np.testing.assert_array_equal(two["step 1"], [0, 0, 0, 1, np.nan])
    one = natural_spline(np.full(4, 2.0), "step", 3)
    assert list(one) == ["step 1"]
    np.testing.assert_array_equal(one["step 1"], 2.0)
    assert list(natural_spline(np.arange(4.0), "step", 1)) == ["step 1"]
    assert np.isnan(natural_spline(np.array([0.0, np.nan, 1, 2, 3]), "step", 2)["step 1"][1])
    with pytest.raises(ValueError, match="positive integer; got 0"):
        natural_spline(np.arange(3.0), "step", 0)


@pytest.mark.slow
def test_levels_and_coverage():
    """40 samples: 5 % (95 %) is found to 3.4 points."""
    (simulation,) = [one for one in models.SIMULATIONS if one.name == "logistic regressions"]
    missed = [one for one in run(simulation, 40) if not one.holds]
    assert not missed, outside(missed)


@pytest.mark.slow
def test_a_score_of_the_image_is_no_witness_for_each_of_its_cases():
    """100 samples of 20 images without an effect: GEE keeps its level; ordinary logistic regression takes 20 images for 120 witnesses."""
    draw, runs = np.random.default_rng(0), 100
    gee, iid = 0, 0
    for _ in range(runs):
        label, _, image = cases(draw, images=20, length=6, effect=0.0)
        shared = draw.normal(size=20)[image]
        gee += gee_logistic(label, {"score": shared}, image).effects["score"].p <= 0.05
        iid += sm.Logit(label.astype(float), sm.add_constant(shared)).fit(disp=0).pvalues[1] <= 0.05
    assert 0.01 <= gee / runs <= 0.09
    assert iid / runs > 0.12


def test_a_fit_that_ends_without_converging_tells_no_numbers():
    """One label on the wrong side of a column that all but separates: estimate and error are finite, and mean nothing."""
    draw = np.random.default_rng(157)
    image = np.repeat(np.arange(13), 4)
    column = 4 * np.repeat(draw.normal(size=13), 4) + 0.1 * draw.normal(size=52)
    label = column + 0.5 * draw.normal(size=52) > 0
    label[draw.integers(0, 52, 1)] ^= True
    found = gee_logistic(label, {"score": column}, image)
    assert found.reason == "the fit did not converge"
    assert np.isnan(found.effects["score"].estimate)
