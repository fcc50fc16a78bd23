"""Pseudo-values: of a mean the values, of a ratio its influence, of anything smooth a mean that is the jackknife's estimate."""

import numpy as np
import pytest

from analysis.stats import pseudo_values as module
from analysis.stats.bootstrap import mean, median, ratio
from analysis.stats.pseudo_values import pseudo_values


def test_of_a_mean_they_are_the_values():
    values = np.random.default_rng(1).normal(size=(30, 2))
    assert pseudo_values(mean(values), 30) == pytest.approx(values)


def test_of_a_ratio_they_are_n_whole_less_the_rest():
    rng = np.random.default_rng(2)
    above, below = rng.normal(size=(12, 1)), rng.uniform(1, 2, size=(12, 1))
    got = pseudo_values(ratio(above, below), 12)[:, 0]
    for image in range(12):
        rest = np.arange(12) != image
        assert got[image] == pytest.approx(12 * above.sum() / below.sum() - 11 * above[rest].sum() / below[rest].sum())


def test_undefined_without_an_image_is_nan_for_that_image():
    above, below = np.array([[1.0], [0.0]]), np.array([[2.0], [0.0]])
    assert np.isnan(pseudo_values(ratio(above, below), 2)[:, 0]).tolist() == [True, False]


def test_of_a_median_they_jump():
    values = np.arange(8.0)[:, None]
    assert len(np.unique(pseudo_values(median(values), 8).round(6))) == 2


def test_leaving_out_part_by_part_changes_nothing(monkeypatch):
    statistic = mean(np.random.default_rng(3).normal(size=(25, 2)))
    at_once = pseudo_values(statistic, 25)
    monkeypatch.setattr(module, "TOGETHER", 7)
    assert pseudo_values(statistic, 25) == pytest.approx(at_once)
