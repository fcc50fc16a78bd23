"""Slopes with a level for every object, against statsmodels' least squares with dummies; sums against loops."""

import numpy as np
import pytest
import statsmodels.api as sm

from analysis.logits.reduce import _statistic
from analysis.logits.slopes import PER_TOKENS, distance_from_mean, own_level_slopes, sums
from analysis.objects.names import BIN


def case(seed=0, images=5, steps=20, objects=4):
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(images, steps, objects)) + draw.normal(size=(images, 1, objects)) * 5
    used = np.arange(steps)[None, :, None] < draw.integers(0, steps, (images, 1, objects))
    used[0] = False
    values[1, 3, 0] = np.nan
    return values, used


def test_slopes_equal_least_squares_with_a_dummy_for_every_object():
    values, used = case()
    found = own_level_slopes(values, used, 3)
    assert np.isnan(found[0])
    for image in range(1, 5):
        rows = [(t, o, values[image, t, o]) for o in range(4) for t in range(20) if used[image, t, o] and np.isfinite(values[image, t, o])]
        step, thing, y = (np.array(column) for column in zip(*rows, strict=True))
        design = np.column_stack([step, *[(thing == o).astype(float) for o in np.unique(thing)]])
        assert found[image] == pytest.approx(PER_TOKENS * sm.OLS(y, design).fit().params[0])


def test_an_image_needs_enough_steps_and_an_object_with_two():
    values, used = np.ones((1, 6, 2)), np.zeros((1, 6, 2), dtype=bool)
    used[0, 0, 0] = used[0, 1, 1] = True
    assert np.isnan(own_level_slopes(values, used, 2))[0]
    used[0, :3, 0] = True
    assert own_level_slopes(values, used, 3)[0] == 0
    assert np.isnan(own_level_slopes(values, used, 4))[0]


def test_distances_and_sums_equal_loops():
    values, used = case()
    far = distance_from_mean(values, used)
    count, total, square = sums(values, used)
    for t in range(20):
        there = [(i, o) for i in range(5) for o in range(4) if used[i, t, o] and np.isfinite(values[i, t, o])]
        mean = np.mean([values[i, t, o] for i, o in there]) if there else 0
        for i, o in there if len(there) > 1 else ():
            assert far[i, t, o] == pytest.approx((values[i, t, o] - mean) ** 2)
        for i in range(5):
            own = [values[i, t, o] for k, o in there if k == i]
            assert count[i, t] == len(own)
            assert total[i, t] == pytest.approx(sum(own))
            assert square[i, t] == pytest.approx(sum(v * v for v in own))


def test_curves_are_means_and_for_the_variance_numpys_averaged_over_the_steps_of_a_bin():
    values, used = np.random.default_rng(1).normal(size=(6, 2 * BIN, 4)), np.ones((6, 2 * BIN, 4), dtype=bool)
    parts = [sums(values + k, used) for k in range(5)]
    found = _statistic(parts)(np.array([[0, 0, 3, 5, 5, 5]])).reshape(5, 2)
    drawn = values[[0, 0, 3, 5, 5, 5]].transpose(1, 0, 2).reshape(2 * BIN, -1)
    for k in range(5):
        by_step = (drawn + k).var(axis=1) if k == 1 else (drawn + k).mean(axis=1)
        np.testing.assert_allclose(found[k], by_step.reshape(2, BIN).mean(axis=1))
