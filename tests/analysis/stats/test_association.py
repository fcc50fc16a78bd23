"""Coefficients within images against scipy image by image, partial ones against residuals, repeated measures against an ANCOVA."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from analysis.stats.association import KINDS, mean_within, within_image, within_tau
from analysis.stats.calibration import models
from analysis.stats.calibration.simulation import run
from analysis.stats.calibration.table import outside
from analysis.stats.paired import sign_flip
from analysis.stats.repeated import repeated_correlation


def sample(seed=0, images=6, most=14, quantities=2):
    """Few cases with ties; some missing."""
    draw = np.random.default_rng(seed)
    image = draw.permutation(np.repeat(np.arange(images), draw.integers(4, most, images)))
    z = draw.normal(size=len(image))
    x = np.round(draw.normal(size=(len(image), quantities)) + 0.7 * z[:, None], 1)
    y = np.round(draw.normal(size=len(image)) + 0.7 * z, 1)
    x[draw.random(x.shape) < 0.05] = np.nan
    return x, y, image, z


def simple(kind, a, b):
    if kind == "cosine":
        return a @ b / np.sqrt(a @ a * (b @ b))
    return {"kendall": stats.kendalltau, "spearman": stats.spearmanr, "pearson": stats.pearsonr}[kind](a, b).statistic


@pytest.mark.parametrize("kind", KINDS)
def test_each_image_equals_scipy(kind):
    x, y, image, _ = sample()
    found = within_image(x, y, np.array([f"{i}" for i in image]), kind=kind)
    assert found.shape == (6, 2)
    for i in range(6):
        for q in range(2):
            own = (image == i) & ~np.isnan(x[:, q])
            assert found[i, q] == pytest.approx(simple(kind, x[own, q], y[own]))
    np.testing.assert_allclose(within_image(x[:, 1], y, image, kind=kind), found[:, 1], atol=1e-15)


@pytest.mark.parametrize("kind", ["spearman", "pearson"])
def test_partial_correlation_is_the_correlation_of_residuals(kind):
    x, y, image, z = sample(1)
    found = within_image(x, y, image, z, kind=kind)
    for i in range(6):
        own = (image == i) & ~np.isnan(x[:, 0])
        a, b, c = (stats.rankdata(v[own]) if kind == "spearman" else v[own] for v in (x[:, 0], y, z))
        rest = [v - np.polyval(np.polyfit(c, v, 1), c) for v in (a, b)]
        assert found[i, 0] == pytest.approx(stats.pearsonr(*rest).statistic)


def test_partial_tau_is_kendalls_formula():
    x, y, image, z = sample(2)
    found = within_image(x, y, image, z, kind="kendall")
    for i in range(6):
        own = (image == i) & ~np.isnan(x[:, 0])
        xy, xz, yz = (stats.kendalltau(a[own], b[own]).statistic for a, b in ((x[:, 0], y), (x[:, 0], z), (y, z)))
        assert found[i, 0] == pytest.approx((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))


def test_what_has_no_coefficient_is_nan():
    image = np.array([0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3])
    x = np.array([1.0, 2, 0.1 + 0.2, 0.3, 0.3, 1, np.nan, 3, 1, 2, 3, 4])
    y = np.arange(12.0)
    for kind in ("kendall", "spearman", "pearson"):
        found = within_image(x, y, image, kind=kind)
        assert np.isnan(found[[0, 2]]).all()
        assert found[3] == pytest.approx(1)
        assert np.isnan(within_image(x, y, image, x, kind=kind)).all()  # the covariate gives x away
    assert np.isnan(within_image(x, y, image, kind="pearson")[1])  # varies by rounding alone
    with pytest.raises(ValueError, match=r"must be one of kendall, .*; got 'tau'"):
        within_image(x, y, image, kind="tau")
    with pytest.raises(ValueError, match="None for the cosine"):
        within_image(x, y, image, x, kind="cosine")


def test_how_many_cases_a_coefficient_needs():
    image = np.repeat([0, 1, 2], [2, 3, 4])
    x, y, z = np.random.default_rng(5).normal(size=(3, 9))
    assert np.isnan(within_image(x, y, image, kind="pearson")).tolist() == [True, False, False]
    assert np.isnan(within_image(x, y, image, z, kind="pearson")).tolist() == [True, True, False]
    found = mean_within(x, y, image, kind="pearson", resamples=9)
    assert found.n_images.tolist() == [2]
    assert found.n_cases.tolist() == [7]
    assert found.weight[:, 0].tolist() == [0, 2, 3]


def test_a_case_without_y_or_covariate_takes_no_part():
    x, y, image, z = sample(6, most=20)
    y[3], z[8] = np.nan, np.nan
    kept = ~np.isnan(y) & ~np.isnan(z)
    np.testing.assert_array_equal(within_image(x, y, image, z), within_image(x[kept], y[kept], image[kept], z[kept]))
    found, fewer = (mean_within(*cases, resamples=9) for cases in ((x, y, image, z), (x[kept], y[kept], image[kept], z[kept])))
    np.testing.assert_array_equal(found.n_cases, fewer.n_cases)
    np.testing.assert_array_equal(found.weight, fewer.weight)


def test_no_case_and_one_image_have_reasons():
    nothing, none = np.zeros(0), np.zeros(0, dtype=int)
    assert mean_within(nothing, nothing, none).reason == ("an interval needs at least 2 images",)
    assert repeated_correlation(nothing, nothing, none).reason == "too few cases"
    assert mean_within(np.zeros((0, 3)), nothing, none).estimate.shape == (3,)
    lone = mean_within(np.arange(4.0), np.arange(4.0), np.zeros(4, dtype=int))
    assert lone.estimate[0] == pytest.approx(1)
    assert np.isnan(lone.p[0])


def test_the_mean_over_images_counts_cases_less_one():
    x, y, image, z = sample(3)
    found = within_tau(x, y, image, resamples=199)
    own = within_image(x, y, image)
    for q in range(2):
        cases = np.array([(~np.isnan(x[image == i, q])).sum() for i in range(6)])
        assert found.estimate[q] == pytest.approx((own[:, q] * (cases - 1)).sum() / (cases - 1).sum())
        assert found.n_cases[q] == cases.sum()
        assert found.p[q] == sign_flip(own * (np.array([(~np.isnan(x[image == i])).sum(0) for i in range(6)]) - 1))[0][q]
    alike = mean_within(x, y, image, z, kind="spearman", weighted=False, resamples=199)
    assert alike.estimate == pytest.approx(within_image(x, y, image, z, kind="spearman").mean(axis=0))
    assert (alike.low < alike.estimate).all()
    assert (alike.p_max_t >= alike.p).all()


def test_two_positive_quantities_have_a_high_cosine_and_no_correlation():
    draw = np.random.default_rng(0)
    image = np.repeat(np.arange(30), 40)
    x, y = draw.uniform(size=1200), draw.uniform(size=1200)
    assert mean_within(x, y, image, kind="cosine", resamples=99).estimate[0] == pytest.approx(0.75, abs=0.03)
    assert abs(mean_within(x, y, image, kind="pearson", resamples=99).estimate[0]) < 0.06


def test_repeated_measures_correlation_is_the_ancova():
    x, y, image, _ = sample(4)
    x = x[:, 0]
    found = repeated_correlation(x, y, image, resamples=199)
    frame = pd.DataFrame({"x": x, "y": y, "image": image.astype(str)}).dropna()
    fit = smf.ols("y ~ C(image) + x", frame).fit()
    table = anova_lm(fit, typ=2)
    share = table.loc["x", "sum_sq"] / (table.loc["x", "sum_sq"] + table.loc["Residual", "sum_sq"])
    assert found.r == pytest.approx(np.sign(fit.params["x"]) * np.sqrt(share))
    assert found.degrees == fit.df_resid
    assert found.p == pytest.approx(fit.pvalues["x"])
    half = stats.norm.ppf(0.9) / np.sqrt(found.degrees - 1)
    apart = repeated_correlation(x, y, image, level=0.8, resamples=9)
    assert np.arctanh([apart.fisher_low, apart.fisher_high]) == pytest.approx([np.arctanh(found.r) - half, np.arctanh(found.r) + half])
    assert (found.n_images, found.n_cases) == (6, len(frame))
    assert found.low < found.r < found.high


def test_an_image_of_one_case_takes_no_part_in_repeated_measures():
    x, y, image, _ = sample(7, quantities=1)
    y[2] = np.nan
    longer = repeated_correlation(np.append(x[:, 0], 9.0), np.append(y, -9.0), np.append(image, 99), resamples=9)
    kept = ~np.isnan(y)
    assert longer == repeated_correlation(x[kept, 0], y[kept], image[kept], resamples=9)


def test_one_degree_of_freedom_has_a_p_and_no_limits_of_fishers():
    """Two images of two cases: deviations (1, 2) and (3, -1), each twice."""
    found = repeated_correlation(np.array([1.0, -1, 8, 2]), np.array([2.0, -2, 4, 6]), np.array([0, 0, 1, 1]), resamples=9)
    r = (1 * 2 - 3 * 1) / np.sqrt((1 + 9) * (4 + 1))
    assert (found.r, found.degrees) == (pytest.approx(r), 1)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(r) / np.sqrt(1 - r**2), 1))
    assert np.isnan([found.fisher_low, found.fisher_high]).all()


def test_repeated_measures_without_variation_say_so():
    image = np.repeat([0, 1, 2], 3)
    assert repeated_correlation(image / 3.0, np.arange(9.0), image).reason == "x or y does not vary within images"
    assert repeated_correlation(np.arange(2.0), np.arange(2.0), np.arange(2)).reason == "too few cases"


@pytest.mark.slow
def test_level_and_coverage_of_the_mean_over_images():
    """50 samples: 5 % (95 %) is found to 3.1 points; the p that takes cases as independent rejects far more."""
    (simulation,) = [one for one in models.SIMULATIONS if one.name == "association within images"]
    missed = [one for one in run(simulation, 50) if not one.holds]
    assert not missed, outside(missed)


@pytest.mark.slow
def test_partialling_out_the_position_undoes_a_shared_trend():
    """80 samples of 30 images whose series share nothing but a trend."""
    draw, partial = np.random.default_rng(1), 0
    step, image = np.tile(np.arange(20.0), 30), np.repeat(np.arange(30), 20)
    for number in range(80):
        x, y = draw.normal(size=(2, 600)) + draw.normal(size=(2, 30))[:, image] + 0.1 * step
        if number < 5:
            assert mean_within(x, y, image, kind="spearman", resamples=9).p[0] <= 0.05
        partial += stats.ttest_1samp(within_image(x, y, image, step, kind="spearman"), 0).pvalue <= 0.05
    assert 0.01 <= partial / 80 <= 0.10
