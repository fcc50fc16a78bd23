"""Births and lifetimes against loops; what random order of layers gives, against all orders."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sinks.anatomy.lifetime import births, by_chance, lifetimes


def slow(column):
    born = next((layer for layer, is_one in enumerate(column) if is_one), -1)
    lived = len(list(itertools.takewhile(bool, column[born:]))) if born >= 0 else 0
    return born, lived


@given(st.integers(1, 12), st.integers(0, 99))
def test_births_and_lifetimes_equal_a_loop(layers, seed):
    sink = np.random.default_rng(seed).random((layers, 25)) < 0.4
    expected = [slow(list(column)) for column in sink.T]
    assert list(zip(births(sink).tolist(), lifetimes(sink).tolist(), strict=True)) == expected


def test_planted_lives():
    sink = np.zeros((8, 3), dtype=bool)
    sink[2:6, 0] = True
    sink[[1, 2, 7], 1] = True
    assert births(sink).tolist() == [2, 1, -1]
    assert lifetimes(sink).tolist() == [4, 2, 0]


@pytest.mark.parametrize("layers", range(1, 9))
def test_chance_is_the_mean_over_every_order(layers):
    for number in range(1, layers + 1):
        every = [
            slow([layer in chosen for layer in range(layers)])[1] for chosen in map(set, itertools.combinations(range(layers), number))
        ]
        assert by_chance(layers, number) == pytest.approx(np.mean(every))
