"""Coefficients against scipy and T-statistics of `analysis.stats`, nulls against all orders and all turns in loops."""

import itertools

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from analysis.coupling.circular_shift import all_shifts, circular_shift_test
from analysis.coupling.reduce import of_constant
from analysis.coupling.series import Series, every_step, until_said, without_profile
from analysis.stats.association import within_image
from analysis.stats.permutation import circular_shift, dot


@pytest.fixture
def data():
    draw = np.random.default_rng(3)
    entropy, rank = 2 + draw.random((4, 25, 3)), 1 + np.floor(40 * draw.random((4, 25, 6)))
    alive = np.arange(25) < np.array([25, 18, 12, 20])[:, None]
    alive[:, 0] = False
    sets = {"present": draw.random((4, 6)) < 0.5, "none": np.zeros((4, 6), dtype=bool)}
    sets["present"][:, 0], sets["present"][2] = True, False
    return entropy, rank, alive, sets


def by_loops(entropy, rank, used, coefficient):
    """Mean over objects of an image of a coefficient of entropy and rank over the steps in use."""
    found = np.full((len(entropy), entropy.shape[2]), np.nan)
    for i, place in np.ndindex(found.shape):
        each = [
            coefficient(entropy[i, used[i, :, o], place], rank[i, used[i, :, o], o], np.flatnonzero(used[i, :, o]).astype(float))
            for o in range(rank.shape[2])
            if used[i, :, o].any()
        ]
        found[i, place] = np.mean(each) if each else np.nan
    return found


def partial(x, y, t):
    """Textbook partial Spearman: from three plain ones."""
    xy, xt, yt = spearmanr(x, y)[0], spearmanr(x, t)[0], spearmanr(y, t)[0]
    return (xy - xt * yt) / np.sqrt((1 - xt**2) * (1 - yt**2))


COEFFICIENTS = {
    "cosine": lambda x, y, t: x @ y / np.sqrt((x @ x) * (y @ y)),
    "plain": lambda x, y, t: spearmanr(x, y)[0],
    "partial": partial,
}


@pytest.mark.parametrize("kind", COEFFICIENTS)
def test_coefficients_equal_scipy_object_by_object(data, kind):
    entropy, rank, alive, sets = data
    found = every_step(entropy, rank, alive, sets, kind)
    used = alive[:, :, None] & sets["present"][:, None, :]
    np.testing.assert_allclose(found["present"].by_image(4), by_loops(entropy, rank, used, COEFFICIENTS[kind]), atol=1e-12)
    assert np.isnan(found["none"].by_image(4)).all()
    until = used & (np.arange(25)[None, :, None] < np.random.default_rng(0).integers(2, 25, (4, 1, 6)))
    series = until_said(entropy, rank, alive, until, kind, 6)
    enough = until & (until.sum(axis=1, keepdims=True) >= 6)
    np.testing.assert_allclose(series.by_image(4), by_loops(entropy, rank, enough, COEFFICIENTS[kind]), atol=1e-12)
    nothing = until_said(entropy, rank, alive, np.zeros_like(until), kind, 6)
    assert np.isnan(nothing.by_image(4)).all()
    assert np.isnan(nothing.permuted(4)).all()


def test_one_object_is_the_library_of_associations(data):
    entropy, rank, alive, _ = data
    only = {"one": np.arange(6)[None, :] == np.zeros((4, 1), dtype=int)}
    image, step = np.nonzero(alive)
    for kind, covariate in (("plain", None), ("partial", step.astype(float))):
        reference = within_image(entropy[image, step], rank[image, step, 0], image, covariate, kind="spearman")
        np.testing.assert_allclose(every_step(entropy, rank, alive, only, kind)["one"].by_image(4), reference, atol=1e-12)


def test_the_permuted_cosine_is_the_mean_over_all_orders_and_a_constants_cosine_is_its_own():
    draw = np.random.default_rng(1)
    x, y = draw.random(6) + 1, draw.random(6)
    unit = lambda v: v / np.sqrt(v @ v)  # noqa: E731
    series = Series(unit(x)[:, None], unit(y), np.array([0]), np.array([0]))
    every = [unit(x) @ unit(y)[list(order)] for order in itertools.permutations(range(6))]
    assert series.permuted(1)[0, 0] == pytest.approx(np.mean(every))
    assert of_constant(series).by_image(1)[0, 0] == pytest.approx(unit(np.ones(6)) @ unit(y))


def test_profiles_take_out_what_position_gives_every_caption():
    draw = np.random.default_rng(0)
    values, used = draw.normal(size=(5, 8, 3)), draw.random((5, 8, 3)) < 0.8
    found = without_profile(values + 10 * np.sin(np.arange(8))[:, None], used)
    for t in range(8):
        assert found[:, t][used[:, t]].mean() == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(found[:, t] - values[:, t], (found[:, t] - values[:, t])[0, 0])


def test_all_turns_equal_rolled_products():
    draw = np.random.default_rng(2)
    for length in (7, 8):
        x, y = draw.normal(size=(length, 2)), draw.normal(size=length)
        rolled = [[x[:, p] @ np.roll(y, -s) for p in range(2)] for s in range(length)]
        np.testing.assert_allclose(all_shifts(x, y), rolled, atol=1e-12)


def standardised_series(images, length, coupling, seed, rho=0.7):
    draw = np.random.default_rng(seed)

    def noise():
        values = draw.normal(size=(images, length))
        for t in range(1, length):
            values[:, t] = rho * values[:, t - 1] + np.sqrt(1 - rho**2) * values[:, t]
        return values

    x = noise()
    y = coupling * x + noise()
    unit = lambda v: (v := rankdata(v, axis=1) - (length + 1) / 2) / np.sqrt((v**2).sum(axis=1, keepdims=True))  # noqa: E731
    return Series(unit(x).reshape(-1, 1), unit(y).reshape(-1), np.arange(images) * length, np.arange(images))


def test_turning_agrees_with_the_library_and_finds_what_is_planted():
    for coupling in (0.0, 0.4):
        series = standardised_series(20, 40, coupling, 1)
        mine = circular_shift_test(series, 20, draws=3999)
        image = np.repeat(np.arange(20), 40)
        theirs = circular_shift(dot, series.x / 20, series.y, image, draws=3999, seed=1)
        assert mine.observed[0] == pytest.approx(theirs.observed[0])
        assert mine.observed[0] == pytest.approx(series.by_image(20).mean())
        assert mine.null_low[0] == pytest.approx(theirs.null_low[0], abs=0.012)
        assert mine.null_high[0] == pytest.approx(theirs.null_high[0], abs=0.012)
        assert mine.p[0] == pytest.approx(theirs.p[0], abs=0.05)
        assert (mine.p[0] < 0.01) == (coupling > 0)
        assert mine.p_max_t[0] >= mine.p[0]
    alone = circular_shift_test(standardised_series(1, 40, 0.4, 1), 1)
    assert np.isnan(alone.p).all()


@pytest.mark.slow
def test_level_of_turning_under_autocorrelation():
    """300 replications of 15 captions of 40 steps, AR(1) at 0.7 in both series: 5 %, binomial error 1.3 %."""
    hits = sum(
        circular_shift_test(standardised_series(15, 40, 0.0, 100 + seed), 15, draws=199, seed=seed).p[0] < 0.05 for seed in range(300)
    )
    assert 0.02 <= hits / 300 <= 0.09
