"""Text quality of captions: hand-counted values, and planted faults of each kind."""

import random
from itertools import pairwise

import pytest

from analysis.metrics.chair import score_caption
from analysis.metrics.text_quality import LOOP, TEXT_COUNTS, TEXT_MEASURES, TEXT_RATIOS, echoes, text_counts, unfinished

PLAIN = "A dog and a cat lie on a couch. Behind them stands a chair. The room seems calm and bright."


def counted(text):
    return dict(zip(TEXT_COUNTS, text_counts(text, score_caption(text, ()).mentions), strict=True))


def test_counts_of_a_plain_caption():
    # 20 words and 3 marks: 23 units, 20 runs of four, 22 of two, none twice
    assert counted(PLAIN) == {
        "sentences": 3,
        "repeated": 0,
        "4grams": 20,
        "repeated_4grams": 0,
        "2grams": 22,
        "distinct_2grams": 22,
        "echoes": 0,
        "looping": 0,
        "unfinished": 0,
    }


def test_counts_of_a_comma_loop():
    # 12 units, nine runs of four: "a spoon , a" and "spoon , a spoon" three times each
    # ", a spoon ," twice and "a spoon ." behind a comma once: five occurred before
    found = counted("A spoon, a spoon, a spoon, a spoon.")
    assert (found["4grams"], found["repeated_4grams"], found["echoes"], found["looping"]) == (9, 5, 3, 1)
    assert (found["2grams"], found["distinct_2grams"]) == (11, 4)
    assert (found["sentences"], found["repeated"]) == (1, 0), "which is why repeated sentences cannot see it"


def test_against_a_slow_count():
    words = random.Random(0).choices(["a", "dog", "cat", "and", "."], k=60)
    runs = [" ".join(words[i : i + 4]) for i in range(57)]
    found = counted(" ".join(words))
    assert found["repeated_4grams"] == sum(run in runs[:i] for i, run in enumerate(runs))
    assert found["distinct_2grams"] == len({*pairwise(words)})


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("a cake, and a cake, and a cake", 2),
        ("a cake. The cake is large.", 0),  # taken up again in a new sentence: prose
        ("a cake, a cup and a cake", 0),  # another object between
        ("a puppy and a dog", 1),  # two words of one object
        ("no object at all", 0),
    ],
)
def test_echoes(text, times):
    assert echoes(text, score_caption(text, ()).mentions) == times


@pytest.mark.parametrize(
    ("text", "stops"),
    [("A dog.", False), ('He says "sit!"', False), ("A dog and a", True), ("", False), ("A dog.\n", False), ("It is (a dog.)", False)],
)
def test_unfinished(text, stops):
    assert unfinished(text) is stops


def test_planted_faults_are_told_apart():
    loop, cut = PLAIN + " " + "The chair is near the chair. " * 4, PLAIN[:-9]
    order = PLAIN.split()
    random.Random(1).shuffle(order)
    found = {name: counted(text) for name, text in {"plain": PLAIN, "loop": loop, "cut": cut, "shuffled": " ".join(order)}.items()}
    assert [name for name, one in found.items() if one["looping"]] == ["loop"]
    assert [name for name, one in found.items() if one["repeated"]] == ["loop"]
    assert found["cut"]["unfinished"] == 1
    assert found["shuffled"]["repeated_4grams"] == 0, "order alone is a language model's to judge"


def test_a_caption_loops_beyond_the_stated_share():
    distinct = " ".join(f"w{i}" for i in range(40))  # 37 runs
    for tail in range(4, 12):
        text = f"{distinct} {' '.join(f'w{i}' for i in range(tail))}"
        found = counted(text)
        assert found["looping"] == (found["repeated_4grams"] / found["4grams"] > LOOP)
    assert found["looping"] == 1


def test_an_empty_caption_counts_nothing():
    assert sum(text_counts("", ())) == 0


def test_every_ratio_is_of_counts_and_has_a_direction():
    assert set(TEXT_RATIOS) == set(TEXT_MEASURES)
    for above, below, why in TEXT_RATIOS.values():
        assert above in TEXT_COUNTS
        assert below in {*TEXT_COUNTS, "captions", "mentions"}
        assert why
    assert all(one.higher_is_better is not None for one in TEXT_MEASURES.values())
