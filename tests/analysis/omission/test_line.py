"""The omission line against plain counting: every rule and unit, by enumeration, by simulation and by hand."""

from itertools import product

import numpy as np
import pytest

from analysis.metrics.chair import score_caption
from analysis.omission.line import COUNTS, MEASURES, SHARES, counts_of, lowest, measures, omission_line
from analysis.omission.mentions import mentions_from, mentions_of
from analysis.omission.rules import RULES, UNITS
from tests.analysis.omission import invented, thinned

DOG, CAT, CUP, KITE = range(4)
# dog, a cat that is not there, the dog again with a cup in the next sentence, and a kite that is not there in the background
CAPTION = [(DOG, False, 0, False), (CAT, True, 0, False), (DOG, False, 1, False), (CUP, False, 1, False), (KITE, True, 3, True)]
ONE = mentions_from([CAPTION], [3])


def plain_counts(row, truth):
    """CHAIR's counts of one caption, one after the other."""
    absent = [m for m in row if m[1]]
    return (1, int(bool(absent)), len(row), len(absent), len({m[0] for m in row if not m[1]}), truth, len({m[0] for m in row}))


def units_of(row, unit):
    key = {"mention": lambda i, m: i, "object": lambda i, m: m[0], "sentence": lambda i, m: m[2]}[unit]
    return [key(i, m) for i, m in enumerate(row)]


def kept_at_random(row, truth, unit, share):
    """Expected counts over all ways of keeping units, each weighted with its probability."""
    keys = units_of(row, unit)
    names = sorted(set(keys))
    expected = np.zeros(len(COUNTS))
    for kept in product((False, True), repeat=len(names)):
        chance = np.prod([share if k else 1 - share for k in kept])
        left = {name for name, k in zip(names, kept, strict=True) if k}
        expected += chance * np.array(plain_counts([m for m, key in zip(row, keys, strict=True) if key in left], truth))
    return expected


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("share", [0.3, 0.8, 1.0])
def test_at_random_is_the_expectation_over_all_ways_of_keeping(unit, share):
    rows, truth = invented(5, seed=2, mentions=(0, 7))
    line = omission_line(mentions_from(rows, truth), "random", unit, (share, 1.0) if share < 1 else (1.0,))
    for caption, (row, there) in enumerate(zip(rows, truth, strict=True)):
        assert line.counts[0, caption] == pytest.approx(kept_at_random(row, there, unit, share))


@pytest.mark.parametrize(("unit", "kept", "left"), [
    ("mention", 0.8, [0, 1, 2, 3]),
    ("mention", 0.4, [0, 1]),
    ("object", 0.5, [0, 1, 2]),
    ("object", 0.75, [0, 1, 2, 3]),
    ("sentence", 1 / 3, [0, 1]),
])  # fmt: skip
def test_late_first_drops_from_the_end(unit, kept, left):
    line = omission_line(ONE, "late", unit, (kept, 1.0))
    assert line.counts[0, 0].tolist() == list(plain_counts([CAPTION[i] for i in left], 3))


@pytest.mark.parametrize(("rule", "kept", "left"), [
    ("oracle", 0.8, [0, 1, 2, 3]),
    ("oracle", 0.6, [0, 2, 3]),
    ("oracle", 0.4, [0, 2]),
    ("background", 0.8, [0, 1, 2, 3]),
])  # fmt: skip
def test_the_oracle_drops_what_is_absent_and_the_late_of_it_first(rule, kept, left):
    line = omission_line(ONE, rule, "mention", (kept, 1.0))
    assert line.counts[0, 0].tolist() == list(plain_counts([CAPTION[i] for i in left], 3))


def test_the_oracle_of_sentences_drops_the_worst_sentence_of_all_captions():
    worse = [(DOG, False, 0, False), (CAT, True, 1, False)]
    better = [(DOG, False, 0, False), (CAT, True, 0, False)]
    line = omission_line(mentions_from([better, worse], [1, 1]), "oracle", "sentence", (2 / 3, 1.0))
    assert line.counts[0].tolist() == [list(plain_counts(better, 1)), list(plain_counts(worse[:1], 1))]


def test_background_goes_before_what_is_later():
    row = [(DOG, False, 0, True), (CAT, False, 1, False), (CUP, False, 2, False)]
    line = omission_line(mentions_from([row], [3]), "background", "mention", (2 / 3, 1.0))
    assert line.counts[0, 0].tolist() == list(plain_counts(row[1:], 3))


def test_the_oracle_of_positions_drops_the_place_that_is_wrong_most_often():
    """The second of three mentions is absent in most captions; nothing tells the captions apart."""
    rows = [[(DOG, False, 0, False), (CAT, i % 4 > 0, 0, False), (CUP, i % 4 == 0, 1, False)] for i in range(60)]
    line = omission_line(mentions_from(rows, [3] * 60), "positions", "mention", (2 / 3, 1.0))
    assert np.array_equal(line.counts[0], [plain_counts([row[0], row[2]], 3) for row in rows])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("unit", UNITS)
def test_a_line_rises_from_little_to_the_captions_as_they_are(rule, unit):
    rows, truth = invented(60, seed=1)
    line = omission_line(mentions_from(rows, truth), rule, unit)
    assert np.array_equal(line.counts[-1], [plain_counts(row, there) for row, there in zip(rows, truth, strict=True)])
    varied = [COUNTS.index(name) for name in COUNTS if name not in ("captions", "truth")]
    assert (np.diff(line.counts.sum(1)[:, varied], axis=0) >= 0).all()
    share = line.counts[..., COUNTS.index("mentions")].sum(1) / line.counts[-1, :, COUNTS.index("mentions")].sum()
    assert share == pytest.approx(SHARES, abs=0.12 if unit != "mention" else 0.02)


def test_the_oracle_reaches_no_hallucination_at_full_recall():
    rows, truth = invented(60, seed=1)
    mentions = mentions_from(rows, truth)
    whole = dict(zip(MEASURES, measures(counts_of(mentions).sum(0)), strict=True))
    absent = sum(m[1] for row in rows for m in row) / sum(map(len, rows))
    line = omission_line(mentions, "oracle", "mention", (1 - absent, 1.0))
    found = dict(zip(MEASURES, line.curve[0], strict=True))
    assert (found["chair_s"], found["chair_i"], found["precision"]) == (0, 0, 1)
    assert found["recall"] == whole["recall"]
    assert found["f1"] == pytest.approx(2 * whole["recall"] / (1 + whole["recall"]))


def test_simulated_thinning_lies_on_the_line():
    rows, truth = invented(400, seed=5)
    line = omission_line(mentions_from(rows, truth), "random", "mention", (0.6, 1.0))
    drawn = [measures(counts_of(mentions_from(thinned(rows, lambda *_: 0.6, seed), truth)).sum(0)) for seed in range(20)]
    assert np.mean(drawn, 0) == pytest.approx(line.curve[0], abs=0.012)


def test_mentions_of_captions_know_sentence_and_background():
    texts = ["A dog and a cat! The dog sleeps.\n\nIn the background there is a kite", "Nothing here."]
    truth = [frozenset({"dog", "cup"}), frozenset()]
    found = mentions_of([score_caption(text, there) for text, there in zip(texts, truth, strict=True)], texts)
    assert found.object.tolist() == [[0, 1, 0, 2], [-1] * 4]
    assert found.absent.tolist() == [[False, True, False, True], [False] * 4]
    assert found.sentence[0].tolist() == [0, 0, 1, found.sentence[0, 3]]
    assert found.sentence[0, 3] > 1
    assert found.background.tolist() == [[False, False, False, True], [False] * 4]
    assert found.truth.tolist() == [2, 0]
    assert found.first.tolist() == [[0, 1, 0, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize(
    "options", [{"rule": "early"}, {"unit": "word"}, {"shares": (0.5, 0.9)}, {"shares": (0.0, 1.0)}, {"shares": (0.9, 0.5, 1.0)}]
)
def test_what_is_no_line_is_refused(options):
    with pytest.raises(ValueError, match="omission_line"):
        omission_line(ONE, **options)


def test_the_lowest_line_is_the_least_of_all_at_a_recall():
    mentions = mentions_from(*invented(30, 3))
    lines = [omission_line(mentions, rule) for rule in ("random", "late", "oracle")]
    at = np.array([0.31, 0.47, 0.6])
    for recall, found in zip(at, lowest(lines, "chair_i", at), strict=True):
        each = []
        for line in lines:
            x, y = line.curve[:, MEASURES.index("recall")], line.curve[:, MEASURES.index("chair_i")]
            right = next(i for i in range(len(x)) if x[i] >= recall)
            left = max(right - 1, 0)
            part = 0.0 if right == left else (recall - x[left]) / (x[right] - x[left])
            each.append(y[left] + part * (y[right] - y[left]))
        assert found == pytest.approx(min(each))
    assert (lowest(lines, "chair_i", at) <= lowest(lines[:1], "chair_i", at)).all()
