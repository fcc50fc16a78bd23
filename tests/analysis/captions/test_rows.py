"""Rows of captions: each value stands under its own arm, measure and name; p of an exchange against a loop that exchanges."""

import itertools

import numpy as np
import pytest

from analysis.captions.rows import change_rows, exchange_p, level_rows, of_split
from analysis.stats.bootstrap import Interval

ARMS, UNITS = ("none", "a", "b"), {"x": "1", "y": "words"}


def interval(size):
    values = np.arange(size, dtype=float)
    return Interval(values, values - 1, values + 1, tuple(f"why {i}" for i in range(size)))


def test_levels_stand_under_their_arm_and_measure():
    n = np.arange(6) + 10
    rows = level_rows(interval(6), ARMS, UNITS, n, of_split("test"))
    assert [row.name for row in rows] == [f"test/{measure}/{arm}" for arm in ARMS for measure in UNITS]
    assert [(row.estimate, row.interval, row.n, row.reason) for row in rows] == [(i, (i - 1, i + 1), 10 + i, f"why {i}") for i in range(6)]
    assert rows[3].where == {"split": "test", "arm": "a", "measure": "y"}
    assert (rows[3].unit, rows[3].role) == ("words", "descriptive")


def test_changes_stand_under_the_arm_that_they_are_of():
    p = np.array([[0.1, 0.2], [0.3, 0.4]])
    rows = change_rows(interval(4), ARMS, UNITS, 7, of_split("test"), lambda i, k: {"p": p[i, k], "role": "exploratory"})
    assert [row.name for row in rows] == [f"test/{measure}/{arm} - none" for arm in ARMS[1:] for measure in UNITS]
    assert [(row.estimate, row.p, row.n) for row in rows] == [(i, value, 7) for i, value in enumerate(p.ravel())]
    assert rows[2].where == {"split": "test", "treated": "b", "control": "none", "measure": "x"}


def test_an_exchange_is_that_of_every_pattern():
    """Of six images all 64 exchanges, of ratios whose pooled value an exchange does not change."""
    draw = np.random.default_rng(3)
    below = draw.integers(1, 5, (3, 6, 2)).astype(float)
    above = np.floor(below * draw.random(below.shape))
    found = exchange_p(above, below, 0)
    for i, k in itertools.product(range(2), range(2)):
        pair_above, pair_below = above[[i + 1, 0], :, k], below[[i + 1, 0], :, k]
        pooled = pair_above.sum() / pair_below.sum()
        score = pair_above - pooled * pair_below
        sizes = []
        for pattern in itertools.product((False, True), repeat=6):
            one, other = np.where(pattern, score[::-1], score)
            sizes.append(abs(one.sum() - other.sum()))
        assert found[i, k] == pytest.approx(np.mean(np.array(sizes) >= sizes[0] - 1e-9))
