"""Heterogeneity by hand, of equal effects, and its level where chance alone sets effects apart."""

import math

import numpy as np
import pytest

from analysis.stats.heterogeneity import heterogeneity


def test_it_is_what_plain_sums_give():
    values, errors = (0.1, -0.2, 0.05), (0.05, 0.1, 0.02)
    found = heterogeneity(np.array(values), np.array(errors))
    weights = [1 / error**2 for error in errors]
    middle = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    q = sum(w * (v - middle) ** 2 for w, v in zip(weights, values, strict=True))
    assert found.q == pytest.approx(q)
    assert found.p == pytest.approx(math.exp(-q / 2)), "the tail of chi-squared with two degrees of freedom"
    assert found.i2 == pytest.approx(1 - 2 / q)


def test_equal_effects_do_not_differ_and_one_alone_says_nothing():
    same = heterogeneity(np.array([0.1, 0.1]), np.array([0.05, 0.02]))
    assert (same.q, same.i2) == (pytest.approx(0), 0.0)
    assert same.p == pytest.approx(1)
    assert heterogeneity(np.array([0.1]), np.array([0.05])) is None
    assert heterogeneity(np.array([0.1, 0.1, 0.3]), np.array([0.05, math.nan, 0.0])) is None


def test_chance_alone_rejects_as_often_as_the_level_says():
    draw, errors = np.random.default_rng(0), np.array([0.05, 0.1, 0.02, 0.07])
    rejected = [heterogeneity(draw.normal(0.3, errors), errors).p < 0.05 for _ in range(2000)]
    assert np.mean(rejected) == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 2000))
