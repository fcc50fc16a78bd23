"""What two logs are compared by, against plain loops over their mentions; and what a published row asks for, by hand."""

import numpy as np
import pytest

from analysis.omission.line import COUNTS, MEASURES
from analysis.published.claim import claims, demand, f1_at, published_rows, trade
from analysis.published.counts import COLUMNS, PLACES, Spoken
from analysis.published.family import KEPT, by_place, kept
from analysis.published.measures import MATCHED, matched, named

# by caption, (object, absent, word); lengths in words
FIRST = [([(0, 0, 1), (5, 1, 4), (0, 0, 9), (6, 1, 12)], 14), ([(2, 0, 3)], 20), ([], 5)]
SECOND = [([(0, 0, 2), (1, 0, 5)], 7), ([(7, 1, 1), (2, 0, 8), (2, 0, 9)], 10), ([(3, 0, 1)], 3)]


def spoken(rows):
    width = max(len(mentions) for mentions, _ in rows)
    counts, places = np.zeros((len(rows), len(COLUMNS))), np.full((len(rows), width, len(PLACES)), -1)
    for row, (mentions, length) in enumerate(rows):
        counts[row, COLUMNS.index("mentions")], counts[row, COLUMNS.index("length")] = len(mentions), length
        for column, (number, absent, word) in enumerate(mentions):
            places[row, column] = number, absent, 0, 0, word
    return Spoken(np.arange(len(rows)), counts, places)


def test_captions_are_cut_to_what_both_have():
    one, other = matched(spoken(FIRST), spoken(SECOND))
    assert dict(zip(MATCHED, one.T.tolist(), strict=True)) == {
        "common_mentions": [2, 1, 0],
        "absent_of_common": [1, 0, 0],
        "absent_within": [1, 0, 0],
    }
    assert dict(zip(MATCHED, other.T.tolist(), strict=True)) == {
        "common_mentions": [2, 1, 0],
        "absent_of_common": [0, 1, 0],
        "absent_within": [0, 1, 0],
    }


def test_objects_count_once_by_their_first_mention():
    wrong, there = by_place(spoken(FIRST))
    assert there[:, :4].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert wrong[:, :4].tolist() == [[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_what_is_kept_and_added():
    true, absent = named(spoken(FIRST), 8)
    assert [row.nonzero()[0].tolist() for row in true] == [[0], [2], []]
    assert [row.nonzero()[0].tolist() for row in absent] == [[5, 6], [], []]
    found = dict(zip(KEPT, kept(spoken(SECOND), spoken(FIRST), 8)(np.arange(3)), strict=True))
    assert found == pytest.approx(
        {"kept_true": 1.0, "kept_absent": 0.0, "added_true": 2 / 3, "added_absent": 1 / 3, "overlap": (1 / 4 + 1 / 2 + 0) / 3}
    )


BASE = {"log": "greedy", "captions": 10, "true": 20, "absent": 8, "truth": 25, "captions_by_absent": [4, 4, 2]}


def test_demand_by_hand():
    """CHAIR_s of 6 in 10 comes to (4 s + 2 (1 - (1 - s)^2)) / 10 = (8 s - 2 s^2) / 10."""
    found = demand([BASE], chair_s=0.35, f1=0.8)
    s = found["absent_kept_share"]
    assert 8 * s - 2 * s**2 == pytest.approx(3.5)
    left = 20 - 10 * found["true_gone"]
    assert 2 * left / (left + 8 * s + 25) == pytest.approx(0.8)
    assert found["absent_gone"] == pytest.approx(0.8 * (1 - s))
    assert found["absent_gone_per_true_gone"] == pytest.approx(found["absent_gone"] / found["true_gone"])
    assert demand([BASE], 0.35, 0.95)["true_gone"] < 0
    assert demand([BASE, BASE], 0.35, 0.8) == pytest.approx(found)


def test_f1_where_a_line_has_a_chair_s():
    curve = np.full((3, len(MEASURES)), np.nan)
    curve[:, MEASURES.index("chair_s")], curve[:, MEASURES.index("f1")] = (0.1, 0.1, 0.3), (0.4, 0.6, 0.7)
    assert f1_at(curve, 0.2) == pytest.approx(0.65)
    assert f1_at(curve, 0.1) == pytest.approx(0.6)
    assert f1_at(curve, 0.05) is None


def sums(hallucinating, recalled, objects):
    made = np.zeros((len(hallucinating), len(COUNTS)))
    for name, values in {
        "captions": 10,
        "truth": 25,
        "mentions": 30,
        "hallucinating": hallucinating,
        "recalled": recalled,
        "objects": objects,
    }.items():
        made[:, COUNTS.index(name)] = values
    return made


def test_what_a_line_has_dropped_on_its_way_down():
    found = trade(sums([2, 4, 6], [14, 18, 20], [17, 24, 28]), 0.3)
    assert found == pytest.approx({"absent_gone": (8 - 4.5) / 10, "true_gone": (20 - 16) / 10})


def test_a_published_row_is_a_change_of_the_measured_captions():
    table = sums([2, 4, 6], [14, 18, 20], [17, 24, 28])
    lines = [{"baseline": "greedy", "rule": rule, "unit": "mention", "sums": table.tolist()} for rule in ("late", "oracle")]
    (found,) = [one for one in claims(lines, [BASE], {"greedy": "MiniGPT-4-7B"}) if one["method"] == "KVSmooth"]
    assert found["published"] == [*published_rows("MiniGPT-4-7B")["KVSmooth"]] == [0.17, 0.717]
    assert found["chair_s"] == pytest.approx(0.6 * 17.0 / 31.8)
    assert found["f1"] == pytest.approx(2 * 20 / (28 + 25) + 0.018)
    assert found["best_line"] == "late mention"
    assert found["best_line_trade"] == pytest.approx(trade(table, found["chair_s"]))
    assert claims(lines, [BASE], {"greedy": "Invented-7B"}) == []
