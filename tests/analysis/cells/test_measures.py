"""Counts and measures of captions: hand counts, the field's own aggregate, and captions cut to a common length."""

import numpy as np
import pytest

from analysis.captions import counts as captions
from analysis.captions.counts import ALL_COUNTS
from analysis.captions.equal_lengths import equal_lengths
from analysis.cells.classes import CLASSES, token_classes
from analysis.cells.measures import COUNTS, MEASURES, measures, spoken
from analysis.cells.names import RECEIPTS
from analysis.metrics.chair import count, ratios, score_caption

TEXTS = ["There is a cat. There is a cat.", "A dog is here, and a cup, and a dog.", "It is nice."]
TRUTH = [frozenset({"cat"}), frozenset({"dog", "chair"}), frozenset({"cat"})]


def result(texts, steps=(9, 4, 0), rate=(0.5, 0.25, 0.0)):
    filled = {name: [0.0] * len(texts) for name in RECEIPTS} | {"rate": list(rate)}
    return {"captions": texts, "ended": [True, False, True], "tokens": [s + 1 for s in steps], "steps": list(steps), **filled}


@pytest.fixture
def said():
    return spoken(result(TEXTS), TRUTH)


def test_measures_equal_the_metrics_own_aggregate(said):
    expected = ratios(count(score_caption(text, truth) for text, truth in zip(TEXTS, TRUTH, strict=True)).sum(0))
    found = dict(zip(MEASURES, measures(said.counts.sum(0)), strict=True))
    for name in ("chair_s", "chair_i", "recall", "precision", "f1", "length", "mentions"):
        assert found[name] == pytest.approx(float(expected[name])), name


def test_measures_equal_those_of_the_other_command(said):
    theirs = dict(zip(captions.MEASURES, captions.measures(said.counts.sum(0)[: len(ALL_COUNTS)]), strict=True))
    ours = dict(zip(MEASURES, measures(said.counts.sum(0)), strict=True))
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, err_msg=name)


def test_measures_equal_hand_counts(said):
    found = dict(zip(MEASURES, measures(said.counts.sum(0)), strict=True))
    # cat cat | dog cup(absent) dog | nothing
    assert found["chair_i"] == pytest.approx(1 / 5)
    assert found["chair_s"] == pytest.approx(1 / 3)
    assert found["hazard"] == pytest.approx(1 / 4)  # at risk: both cats, the dog and the cup
    assert found["objects"] == pytest.approx(3 / 3)  # cat | dog, cup
    assert found["repeated_mentions"] == pytest.approx(2 / 5)  # the second cat, the second dog
    assert found["repeated_sentences"] == pytest.approx(1 / 4)
    assert found["ended"] == pytest.approx(2 / 3)
    assert found["rate"] == pytest.approx((9 * 0.5 + 4 * 0.25) / 13)
    np.testing.assert_array_equal(said.absent, [[0, 0, -1], [0, 1, 0], [-1, -1, -1]])
    # "a dog is here , and a cup , and a dog": marks of punctuation are words too, as in the length
    np.testing.assert_array_equal(said.word[1], [1, 7, 11])


def test_a_measure_without_a_denominator_is_missing(said):
    nothing = dict(zip(MEASURES, measures(said.counts[2]), strict=True))
    assert np.isnan(nothing["chair_i"])
    assert nothing["chair_s"] == 0


def slow_matched(a, b, truth):
    """(mentions, absent of the first m in each, any absent within the first w words in each) of two texts, read anew."""
    records = [score_caption(text, truth) for text in (a, b)]
    m = min(len(record.mentions) for record in records)
    w = min(record.length for record in records)
    firsts = [sum(mention.hallucinated for mention in record.mentions[:m]) for record in records]
    within = []
    for text, record in zip((a, b), records, strict=True):
        hits = 0
        for mention in record.mentions:
            before = score_caption(text[: mention.start], truth).length
            hits += mention.hallucinated and before < w
        within.append(float(hits > 0))
    return m, *firsts, *within


def test_matched_captions_are_cut_to_what_both_have():
    others = ["A cup. A dog. A horse. A cat.", "A dog is here.", "A cup and a chair and a cup."]
    mentions, one, other = equal_lengths(*(spoken(result(texts), TRUTH).said for texts in (TEXTS, others)))
    for i, (a, b) in enumerate(zip(TEXTS, others, strict=True)):
        assert (mentions[i], one.absent[i], other.absent[i], one.within[i], other.within[i]) == slow_matched(a, b, TRUTH[i])


def test_every_count_is_in_some_measure():
    used = {count for measure in MEASURES.values() for part in (measure.above, measure.below) for count in part}
    assert set(COUNTS) - used == {"tokens"}


def test_every_token_has_a_class(subject):
    classes = token_classes(subject.tokenizer)
    named = {subject.tokenizer.convert_ids_to_tokens(i): CLASSES[k] for i, k in enumerate(classes.tolist())}
    assert named["."] == named[","] == "punctuation"
    assert named["▁cat"] == named["▁TV"] == "object"
    assert named["▁the" if "▁the" in named else "▁The"] == "word"
    assert named["</s>"] == "special"
