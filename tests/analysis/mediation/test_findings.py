"""What the page says of the end of captions, from planted effects."""

import math

import pytest

from analysis.mediation.effects import PRIMARY_ARM
from analysis.mediation.findings import ending


def row(estimate, p=0.001):
    return {"estimate": estimate, "interval": [estimate - 0.1, estimate + 0.1], "p_adjusted": p, "n": 9, "reason": ""}


def told(total, attention):
    return ending({f"{PRIMARY_ARM}/end/total": total, f"{PRIMARY_ARM}/end/indirect": attention})


def test_a_likelier_end_makes_shorter_captions():
    said = told(row(math.log(50)), row(2.0))
    assert "makes the end of the caption 50 times likelier: 3.91 [3.81, 4.01] nat, the rows alone do 2.00 [1.90, 2.10]." in said
    assert said.endswith("writes shorter captions, whatever it sees.")


def test_a_less_likely_end_makes_longer_ones():
    said = told(row(-math.log(4)), row(0.5))
    assert "4 times less likely: −1.39 [−1.49, −1.29] nat, not by its attention rows alone." in said
    assert said.endswith("writes longer captions, whatever it sees.")


@pytest.mark.parametrize("rows", [{}, {f"{PRIMARY_ARM}/end/total": row(1.0, p=0.2), f"{PRIMARY_ARM}/end/indirect": row(1.0)}])
def test_nothing_is_said_where_the_test_does_not_reject(rows):
    assert ending(rows) == ""
