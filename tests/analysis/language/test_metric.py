"""Fluency as a metric: against plain loops over planted captions."""

import math

import numpy as np
import pytest

from analysis.language.limits import LOOP, calibration
from analysis.language.metric import COUNTS, MEASURES, Fluency
from analysis.metrics.aggregate import compare
from analysis.metrics.metric import Answer, Metric

LOOPS = "A spoon, a spoon, a spoon, a spoon, a spoon."
TEXTS = {"plain": 2.0, "dear": 5.5, LOOPS: 0.4, "w": math.nan, "": math.nan}


def test_records_say_what_each_caption_is():
    metric = Fluency("chair", TEXTS, 5.0)
    assert isinstance(metric, Metric)
    found = metric.records([Answer(i, text) for i, text in enumerate(TEXTS)])
    assert [one.broken for one in found] == [False, True, True, False, False]
    assert [one.counts for one in found] == [(1, 1, 2, 0), (1, 1, 5.5, 1), (1, 1, 0.4, 1), (1, 0, 0, 0), (1, 0, 0, 0)]
    assert found[1].as_dict() == {"image_id": 1, "nll": 5.5, "broken": True}


def test_ratios_and_why_there_is_none():
    metric = Fluency("chair", TEXTS, 5.0)
    total = np.sum([one.counts for one in metric.records([Answer(i, text) for i, text in enumerate(TEXTS)])], axis=0)
    found = metric.ratios(total)
    assert found.keys() == MEASURES.keys()
    assert found["nll"] == pytest.approx((2.0 + 5.5 + 0.4) / 3)
    assert found["broken"] == pytest.approx(2 / 5)
    assert metric.reasons(total) == {}
    assert metric.reasons(np.zeros(len(COUNTS))) == {"nll": "no caption has two tokens", "broken": "there is no caption"}
    assert metric.reasons(np.array([1.0, 0, 0, 0])) == {"nll": "no caption has two tokens"}


def test_nll_has_no_better_side_and_broken_has_one():
    assert (MEASURES["nll"].higher_is_better, MEASURES["broken"].higher_is_better) == (None, False)


def test_paired_changes_are_those_of_plain_loops():
    draw = np.random.default_rng(0)
    texts = {arm: [f"{arm} caption of image {i}" for i in range(12)] for arm in ("none", "some")}
    texts["some"][3] = LOOPS
    nll = {text: float(value) for held in texts.values() for text, value in zip(held, draw.uniform(1, 4, 12), strict=True)}
    above = 3.0
    metric = Fluency("chair", nll, above)
    records = {arm: metric.records([Answer(i, text) for i, text in enumerate(held)]) for arm, held in texts.items()}
    rows = {row.name: row for row in compare(metric, records, "none")}

    def is_broken(text):
        words = text.lower().replace(",", " ,").replace(".", " .").split()
        runs = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
        again = 0
        for i, run in enumerate(runs):
            again += run in runs[:i]
        return nll[text] > above or again > LOOP * len(runs)

    change = broken = 0
    for one, other in zip(texts["some"], texts["none"], strict=True):
        change += (nll[one] - nll[other]) / 12
        broken += (is_broken(one) - is_broken(other)) / 12
    assert is_broken(LOOPS)
    assert rows["chair/nll/some - none"].estimate == pytest.approx(change)
    assert rows["chair/broken/some - none"].estimate == pytest.approx(broken)
    assert rows["chair/nll/some - none"].n == 12
    assert rows["chair/nll/some - none"].p_adjusted >= rows["chair/nll/some - none"].p


def test_calibration_tells_both_shares_and_the_limits():
    nll, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([6.0, 6.0, 1.0, 6.0])
    texts = ["one", "two", "three", LOOPS]
    above = 3.0 + 0.97 * 1.0  # 0.99 of three steps from the lowest to the highest
    assert calibration(texts, nll, [*"abcd"], other) == {
        "limit": pytest.approx(above),
        "loop": LOOP,
        "broken_as_they_stand": 0.25,
        "broken_with_words_shuffled": 0.75,
    }
