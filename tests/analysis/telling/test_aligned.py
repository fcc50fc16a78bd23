"""Columns of text, written out by hand."""

import math

import pytest

from analysis.telling.wording import aligned, p_value

ROWS = [("outcome", "n", "p"), ("a", "12", "< 0.001"), ("long name", "3", "-")]


def test_columns_are_flush_left_and_numbers_flush_right_if_asked():
    assert aligned(ROWS) == ["outcome    n   p", "a          12  < 0.001", "long name  3   -"]
    assert aligned(ROWS, right=True) == ["outcome     n        p", "a          12  < 0.001", "long name   3        -"]


@pytest.mark.parametrize(
    ("p", "told"), [(0.0004, "< 0.001"), (0.001, "0.001"), (0.04567, "0.046"), (1.0, "1.000"), (math.nan, "-"), (None, "-")]
)
def test_a_p_value_has_three_digits(p, told):
    assert p_value(p) == told
    assert p_value(math.nan, missing="") == ""
