"""Robust z against scipy; a planted outlier; the contrast of patches against a loop."""

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from analysis.sinks.anatomy.names import OUTLIER
from analysis.sinks.anatomy.outliers import contrast, robust_z


def test_robust_z_is_scipys_and_finds_what_was_planted():
    norms = np.random.default_rng(0).normal(10, 1, (3, 64))
    norms[1, 7] = 40
    z = robust_z(norms)
    for row, found in zip(norms, z, strict=True):
        np.testing.assert_allclose(found, (row - np.median(row)) / median_abs_deviation(row, scale="normal"), rtol=1e-4)
    assert [np.flatnonzero(row > OUTLIER).tolist() for row in z] == [[], [7], []]


def test_patches_that_are_alike_have_no_outliers():
    assert np.isnan(robust_z(np.ones((2, 9)))).all()


def test_contrast_equals_a_loop_over_patches():
    pixels = np.random.default_rng(1).random((3, 8, 8))
    pixels[:, :4, 4:] = 0.5
    found = contrast(pixels, 4)
    for place, (row, column) in enumerate(((0, 0), (0, 4), (4, 0), (4, 4))):
        each = [pixels[c, row : row + 4, column : column + 4].std() for c in range(3)]
        assert found[place] == pytest.approx(np.mean(each))
    assert found[1] == 0
    assert np.isnan(contrast(pixels, 5)).all()
    assert np.isnan(contrast(np.zeros(0), 4)).all()
