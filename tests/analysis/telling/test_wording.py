"""Numbers and rows as text, and which side a corrected test rejects on."""

import math

from analysis.telling.wording import alike, bracketed, brief, chance, direction, listed, number, page, signed, table
from tests.analysis.telling.rows import SIGNS, row


def test_a_brief_number_is_never_a_power_of_ten():
    assert [brief(value) for value in (0.0, 0.0123, 9.16, 51.3, 99.4, 99.6, 100.0, -148.4)] == [
        "0",
        "0.012",
        "9.2",
        "51",
        "99",
        "100",
        "100",
        "-148",
    ]
    assert [brief(value, 3) for value in (4.482, 999.4, 999.6, 2981.0)] == ["4.48", "999", "1000", "2981"]


def test_a_direction_needs_a_corrected_test_that_rejects():
    assert [direction(row(sign)) for sign in SIGNS] == [-1, 0, 1]
    assert [direction(row(sign, 0.5), null=0.5) for sign in SIGNS] == [-1, 0, 1]
    assert direction(None) == 0
    assert direction(row(1) | {"p_adjusted": math.nan}) == 0
    assert direction(row(1) | {"p_adjusted": 0.05}) == 0
    assert direction(row(1) | {"estimate": math.nan}) == 0
    assert direction(row(1) | {"estimate": 0.5}, null=0.5) == 0


def test_two_that_do_the_same_are_named_together():
    names, words = ("both", "one", "the other"), {1: "rise", -1: "fall"}
    assert alike(1, 1, names, words) == "both rise"
    assert alike(1, -1, names, words) == "one rise, the other fall"


def test_numbers_keep_their_digits_and_lines_their_order():
    assert [signed(value) for value in (0.5, -28.62, 500.0, 1e-5, math.nan)] == ["0.500", "−28.6", "500", "1.00e−05", "–"]
    assert bracketed(row(1)) == "0.300 [0.200, 0.400]"
    assert number(row(1)) == "0.300 [0.200, 0.400] (n = 9, p = 0.010)"
    unknown = row(1) | {"estimate": math.nan, "p_adjusted": math.nan, "reason": "no pair"}
    made = table(
        {"a": row(1), "b": unknown, "c": row(-1) | {"p_adjusted": 1e-4}}, {"c": "third", "a": "first", "no row": "-", "b": "second"}
    )
    assert made.splitlines()[2:] == [
        "| third | −0.300 [−0.400, −0.200] | 9 | < 0.001 |",
        "| first | 0.300 [0.200, 0.400] | 9 | 0.010 |",
        "| second | unknown (no pair) | 9 | no p |",
    ]
    assert bracketed(row(1) | {"interval": [math.nan, math.nan]}) == "0.300"
    assert [chance(p) for p in (0.2, 0.001, 9e-4, math.nan)] == ["p = 0.200", "p = 0.001", "p < 0.001", "no p"]
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert page("So.", "one", "", "two") == "**So.**\n\none\n\ntwo"
