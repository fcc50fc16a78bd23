"""Scores of an exchange test against loops over images."""

import numpy as np
import pytest

from analysis.stats.exchange import exchange_scores, exchange_test
from analysis.stats.paired import DRAWS, flips


@pytest.fixture
def parts():
    rng = np.random.default_rng(5)
    below = rng.integers(1, 6, (2, 3, 8, 2)).astype(float)
    return np.floor(below * rng.random(below.shape)), below


def test_scores_are_those_of_a_loop_over_images(parts):
    above, below = parts
    got = exchange_scores(above, below)
    for pair in range(3):
        for measure in range(2):
            pooled = sum(above[arm, pair, i, measure] for arm in (0, 1) for i in range(8)) / below[:, pair, :, measure].sum()
            for i in range(8):
                first, second = (above[arm, pair, i, measure] - pooled * below[arm, pair, i, measure] for arm in (0, 1))
                assert got[pair, i, measure] == pytest.approx(first - second, abs=1e-9)


def test_an_exchange_of_one_image_flips_its_score_alone(parts):
    above, below = parts
    plain = exchange_scores(above, below)
    turned = [part.copy() for part in parts]
    for part, whole in zip(turned, parts, strict=True):
        part[:, 1, 4] = whole[::-1, 1, 4]
    got = exchange_scores(*turned)
    np.testing.assert_allclose(got[1, 4], -plain[1, 4])
    np.testing.assert_allclose(np.delete(got[1], 4, 0), np.delete(plain[1], 4, 0))


def test_equal_arms_score_nothing(parts):
    above, below = (np.stack([part[0], part[0]]) for part in parts)
    assert not exchange_scores(above, below).any()


@pytest.mark.parametrize("images", [2, 13, 14, 200])
def test_a_row_says_how_many_patterns_its_test_looked_at(images):
    patterns, every = flips(images, DRAWS, 0)
    told = f"all {len(patterns):,} patterns" if every else f"{len(patterns):,} draws"
    assert exchange_test(images) == f"exchange of the arms within images, two-sided, {told}"
