"""CHAIR against hand-counted captions, a slow reference, and its laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics.chair import COUNTS, count, ground_truth, ratios, reasons, score_caption
from analysis.metrics.text_quality import TEXT_COUNTS, TEXT_RATIOS
from analysis.words.words import lemma, synonyms, two_words, words

NOUNS = ("dog", "cat", "bench", "hot dog", "wine glass", "pizza")


def objects(caption: str) -> list[str]:
    return [mention.object for mention in score_caption(caption, ()).mentions]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Two dogs and a puppy.", ["dog", "dog"]),
        ("A hot dog on a plate.", ["hot dog"]),
        ("Hot dogs, wine glasses, knives and mice", ["hot dog", "wine glass", "knife", "mouse"]),
        ("A baby elephant and an adult bear", ["elephant", "bear"]),
        ("A passenger train near a passenger jet", ["train", "airplane"]),
        ("A toilet seat.", ["toilet"]),
        ("A toilet next to a seat.", ["toilet"]),
        ("A seat next to a table.", ["chair", "dining table"]),
        ("A man in a bow tie, sitting.", ["person", "tie"]),
        ("Men with vases", []),
        ("A black-and-white dog-house", []),
        ("Women are seated, and one is skiing.", ["person", "chair", "skis"]),
        ("A motor bike", []),
        ("a parking meter by a potted plant", ["parking meter", "potted plant"]),
        ("laptop.The cat", ["cat"]),
        ("the dog's bowl isn't a cup", ["dog", "bowl", "cup"]),
        ("", []),
    ],
)
def test_the_objects_of_a_caption(caption, expected):
    assert objects(caption) == expected


def test_a_mention_knows_its_place_and_whether_it_is_there():
    caption = "A Hot dog, two cats and a dog."
    record = score_caption(caption, {"cat", "pizza"}, image_id=7)
    assert [caption[m.start : m.end] for m in record.mentions] == ["Hot dog", "cats", "dog"]
    assert [m.hallucinated for m in record.mentions] == [True, False, True]
    assert (record.recalled, record.truth, record.image_id) == (("cat",), ("cat", "pizza"), 7)
    assert dict(zip(COUNTS, record.counts, strict=True)) == {
        "captions": 1,
        "hallucinating": 1,
        "mentions": 3,
        "hallucinated": 2,
        "recalled": 1,
        "truth": 2,
        "objects": 3,
        "length": 9,
        **dict.fromkeys(TEXT_COUNTS, 0),
        "sentences": 1,
        "4grams": 7,
        "2grams": 9,
        "distinct_2grams": 9,
    }


def test_the_tables_are_the_published_ones():
    assert len(set(synonyms().values())) == 80
    assert len(two_words()) == 55
    assert " motor bike" in synonyms()
    assert (lemma("vases"), lemma("men"), lemma("women"), lemma("stove"), lemma("seated")) == ("vases", "men", "woman", "stove", "seat")


CASE = st.tuples(st.lists(st.sampled_from(NOUNS), max_size=6), st.sets(st.sampled_from(NOUNS), max_size=4))


@given(st.lists(CASE, min_size=1, max_size=6))
def test_aggregation_equals_plain_counting(cases):
    records = [score_caption(", ".join(named), truth) for named, truth in cases]
    got = ratios(count(records).sum(0))
    mentioned = [list(named) for named, _ in cases]
    absent = [[name for name in named if name not in truth] for named, truth in cases]
    right = sum(len(set(named) & truth) for named, truth in cases)
    everything, distinct, there = sum(map(len, mentioned)), sum(len(set(m)) for m in mentioned), sum(len(t) for _, t in cases)
    kept = everything - sum(map(len, absent))
    assert got["chair_s"] == sum(1 for a in absent if a) / len(cases)
    assert got["mentions"] == everything / len(cases)
    for value, above, below in (
        (got["chair_i"], sum(map(len, absent)), everything),
        (got["recall"], right, there),
        (got["precision"], right, distinct),
        (got["f1"], 2 * right, distinct + there if right else 0),
        (got["f1_instance"], 2 * kept * right, kept * there + right * everything if right else 0),
    ):
        assert math.isnan(value) if below == 0 else value == pytest.approx(above / below)


def test_zero_denominators_are_nan_with_a_reason():
    empty = ratios(count([]).sum(0))
    assert math.isnan(empty["chair_s"])
    assert set(reasons(empty)) == {"chair_s", "chair_i", "recall", "precision", "f1", "f1_instance", "length", "mentions", *TEXT_RATIOS}
    silent = ratios(count([score_caption("Nothing here.", {"dog"})]).sum(0))
    assert silent["recall"] == 0
    assert silent["chair_s"] == 0
    assert set(reasons(silent)) == {"chair_i", "precision", "f1", "f1_instance", "echoes", "repeated_4grams"}
    assert "f1" in reasons(ratios(count([score_caption("A dog.", {"cat"})]).sum(0)))


def test_ratios_broadcast_over_draws():
    counts = count([score_caption("A dog and a cat.", {"dog"}), score_caption("A pizza.", {"pizza", "cat"})])
    draws = np.stack([counts.sum(0), counts[0] * 2])
    assert ratios(draws)["chair_s"].tolist() == [0.5, 1.0]
    assert ratios(draws)["recall"].tolist() == [2 / 3, 1.0]


def test_ground_truth_joins_instances_and_captions():
    coco = {
        "images": [{"id": 1}, {"id": 2}],
        "categories": [{"id": 37, "name": "sports ball"}, {"id": 18, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 37, "iscrowd": 1}, {"image_id": 1, "category_id": 18}],
    }
    assert ground_truth(coco, [(2, "Two puppies? A puppy on a sofa.")]) == {1: {"sports ball", "dog"}, 2: {"dog", "couch"}}


def test_length_counts_marks_and_merged_pairs():
    assert [word.text for word in words("A hot dog, and a tie.")] == ["a", "hot dog", ",", "and", "a", "tie", "."]
    assert score_caption("A hot dog, and a tie.", ()).length == 7
