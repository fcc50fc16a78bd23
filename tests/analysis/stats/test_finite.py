"""Means of what is finite, against a loop."""

import math

import numpy as np

from analysis.stats.finite import finite_mean


def test_the_mean_is_that_of_a_loop_over_what_is_finite():
    values = np.random.default_rng(0).normal(size=(3, 4, 5))
    values[0, 1, 2], values[1, :, 3], values[2, 2, 0] = np.nan, np.nan, np.inf
    found = finite_mean(values, 1)
    for i in range(3):
        for j in range(5):
            known = [float(value) for value in values[i, :, j] if math.isfinite(value)]
            assert np.isnan(found[i, j]) if not known else math.isclose(found[i, j], sum(known) / len(known), rel_tol=1e-12)
    np.testing.assert_allclose(finite_mean(values, (1, 2)), [np.mean(one[np.isfinite(one)]) for one in values])
