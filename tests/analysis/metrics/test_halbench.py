"""Object HalBench against a slow transcription of its definition, its quirks, and objects named by rules."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.metrics.aggregate import compare, score
from analysis.metrics.chair import ground_truth
from analysis.metrics.extractor import Rules, named_objects
from analysis.metrics.halbench import COUNTS, HalBench
from analysis.metrics.halbench_words import NounReader, lemma, pairs, synonyms
from analysis.metrics.metric import Answer
from analysis.words.readers import Bundled, Exact
from analysis.words.words import synonyms as chair_synonyms
from analysis.words.words import two_words
from probes.command.cli import BadInput


class Told:
    """An extractor that says what it is told, and keeps what it was asked."""

    name = "told"

    def __init__(self, *lists):
        self.lists, self.asked = lists, []

    def objects(self, answers):
        self.asked += answers
        return [list(self.lists[i]) for i in range(len(answers))]


LONG = "An answer of more than three words."
NAMES = (
    "dog",
    "dogs",
    "puppy",
    "hot dog",
    "computer mouse",
    "mouse",
    "seat",
    "toilet",
    "toilet seat",
    "coffee table",
    "baby elephant",
    "sky",
)


def record(*objects: str, truth=("dog",), text=LONG, extractor=None):
    return HalBench({1: frozenset(truth)}, extractor or Told(objects)).records([Answer(1, text)])[0]


def test_the_refined_table_is_chairs_and_four_more_words():
    refined, before = synonyms(), {word.strip(): name for word, name in chair_synonyms().items()}
    assert {word: name for word, name in refined.items() if word not in before} == {
        "brother": "person",
        "pedestrian": "person",
        "coffee table": "dining table",
        "remote control": "remote",
    }
    assert {word: refined[word] for word in before} == before
    assert set(pairs()) - set(two_words()) == {"dining table", "coffee table", "remote control"}
    assert set(two_words()) <= set(pairs())
    assert [lemma(form) for form in ("brothers", "pedestrians", "men", "vases", "seated", "skiing", "controls", "dogs")] == [
        *("brother", "pedestrian", "men", "vases", "seated", "skiing", "control", "dog")
    ]


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        (["dog", "dogs", "a dog"], ["dog"]),  # one string an answer
        (["dog", "puppy"], ["dog", "puppy"]),  # two strings of one object are two mentions
        (["computer mouse", "baseball player"], []),  # a run of nouns is one string
        (["hot dog stand"], ["hot dog"]),  # two-word objects alone are taken
        (["toilet", "seat"], ["toilet"]),
        (["toilet seat", "seat"], ["toilet"]),
        (["seat"], ["seat"]),
        (["motor bikes", "cheesecake", "remote controls"], ["motor bike", "cheesecake", "remote control"]),
        (["baby elephants", "train tracks", "home plate"], ["elephant"]),
        (["men", "vases", "unicorn", ""], []),
    ],
)
def test_what_named_objects_count(objects, words):
    assert [mention.word for mention in record(*objects).mentions] == words


def test_places_in_the_answer_as_given():
    text = "Assistant: A hot dog, an \u0130stanbul bus and two Dogs near a man."
    found = record("dog", "hot dog", "bus", "boat", text=text, truth=("dog", "bus"))
    assert [(m.word, m.start is not None and text[m.start : m.end], m.tokens, m.hallucinated) for m in found.mentions] == [
        ("hot dog", "hot dog", (3, 5), True),
        ("bus", "bus", (10, 11), False),
        ("dog", "Dogs", (13, 14), False),
        ("boat", False, None, True),
    ]
    assert dict(zip(COUNTS, found.counts, strict=True)) == {
        **{"answers": 1, "with_object": 1, "hallucinating": 1, "mentions": 4, "hallucinated": 2, "recalled": 2, "truth": 2},
        "words": 12,
    }
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["mentions"][0]["tokens"] == [3, 5]


def test_short_answers_are_not_read_and_empty_ones_have_a_word():
    told = Told(["cat"])
    answers = [Answer(1, text) for text in ("", "Assistant: A dog here.", "Assistant:", f"{LONG}")]
    records = HalBench({1: frozenset({"dog"})}, told).records(answers)
    assert [len(found.mentions) for found in records] == [0, 0, 0, 1]
    assert [answer.text for answer in told.asked] == [LONG]
    assert [found.words for found in records] == [1, 3, 1, 7]


CASES = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), max_size=6), st.sets(st.sampled_from(("dog", "toilet", "chair", "mouse")))), max_size=5
)


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_measures_equal_the_slow_transcription(cases):
    text = {"dogs": "dog", "toilet seat": "toilet", "baby elephant": "elephant"}
    metric = HalBench({i: frozenset(truth) for i, (_, truth) in enumerate(cases)}, Told(*[named for named, _ in cases]))
    total = np.zeros(len(COUNTS))
    for found in metric.records([Answer(i, LONG) for i in range(len(cases))]):
        total += found.counts
    answers = hallucinating = with_object = mentions = hallucinated = recalled = there = 0
    for named, truth in cases:
        strings = set()
        for name in named:
            strings.add(text.get(name, name))
        if "toilet" in strings:
            strings.discard("seat")
        objects = [synonyms()[string] for string in strings if string in synonyms()]
        absent = [name for name in objects if name not in truth]
        answers, with_object, hallucinating = answers + 1, with_object + bool(objects), hallucinating + bool(absent)
        mentions, hallucinated = mentions + len(objects), hallucinated + len(absent)
        recalled, there = recalled + len({name for name in objects if name in truth}), there + len(truth)

    def over(above, below):
        return above / below if below else math.nan

    recall, right = over(recalled, there), 1 - over(hallucinated, mentions)
    wanted = {
        "response_hallucination": over(hallucinating, with_object),
        "mention_hallucination": over(hallucinated, mentions),
        "response_correct": 1 - over(hallucinating, with_object),
        "mention_correct": right,
        "chair_s": over(hallucinating, answers),
        "recall": recall,
        "f1": over(2 * recall * right, recall + right),
        "words": over(7 * answers, answers),
    }
    got = {name: float(value) for name, value in metric.ratios(total).items()}
    assert got == pytest.approx(wanted, nan_ok=True)
    assert list(got) == list(metric.measures)
    assert set(metric.reasons(total)) == {name for name, value in wanted.items() if math.isnan(value)}


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Two dogs chase a red ball near a bench.", ["dogs", "ball", "bench"]),
        ("A computer mouse and a potted plant", ["computer mouse", "potted plant"]),
        ("There is no dog here at all.", ["dog"]),  # rules do not understand
        ("", []),
    ],
)
def test_rules_name_phrases_of_an_answer(text, phrases, nltk_data):
    assert Rules(Bundled()).objects([Answer(1, text)]) == [phrases]
    if nltk_data:
        assert set(phrases) <= set(Rules(Exact()).objects([Answer(1, text)])[0])


def test_the_tagger_tells_nouns_from_others(nltk_data):
    assert named_objects("pool table", "bundled") == ["table"]
    if not nltk_data:
        with pytest.raises(BadInput, match="Exact words need"):
            named_objects("pool table", "exact")
    else:
        assert named_objects("pool table", "exact") == ["pool table"]
        assert named_objects("large table", "exact") == ["table"]
        assert named_objects("purple dog", "exact") == ["purple dog"]  # out of context this tagger takes many adjectives for nouns
        metric = HalBench({1: frozenset({"dog"})}, Rules(Exact()), reader=Exact())
        found = metric.records([Answer(1, "A brown dog plays pool beside a pool table and a table.")])[0]
        assert [(mention.word, mention.hallucinated) for mention in found.mentions] == [("dog", False), ("table", True)]
        assert metric.mode == "rules, exact words"
        # a reader without an extractor gets rules that read with it
        assert HalBench({}, reader=Exact()).extractor == Rules(Exact())


def test_peoples_captions_are_read_with_nouns_only(nltk_data):
    annotations = {"images": [{"id": 1}], "annotations": [], "categories": []}
    captions = [(1, "A pedestrian is seated, skiing by a coffee table"), (1, "a toilet with its seat and two remote controls")]
    wanted = {"person", "dining table", "toilet", "remote"}
    reader = NounReader(Bundled())
    assert ground_truth(annotations, captions, reader)[1] == wanted
    assert (reader.mode, len(reader.key)) == ("noun, bundled", 64)
    assert len(reader.merged("a seat on a toilet")) == len(reader.words("a seat on a toilet")) + 1 == 5
    if nltk_data:
        exact = NounReader(Exact())
        assert ground_truth(annotations, captions, exact)[1] == wanted
        assert exact.mode == "noun"
        assert exact.key != reader.key


def test_intervals_pairs_and_images_without_truth():
    metric = HalBench({i: frozenset({"dog"}) for i in range(6)})
    answers = [Answer(i, "There is a dog and a cat here." if i % 2 else "There is a nice dog here.") for i in range(6)]
    records = metric.records(answers)
    found = score(metric, records)
    assert found.metrics["response_hallucination"] == 0.5
    assert found.metrics["mention_hallucination"] == pytest.approx(3 / 9)
    rows = compare(metric, {"baseline": records, "clean": metric.records([Answer(i, "A dog is there.") for i in range(6)])}, "baseline")
    difference = next(row for row in rows if row.name == "halbench/response_hallucination/clean - baseline")
    assert difference.estimate == -0.5
    assert difference.role == "primary"
    with pytest.raises(BadInput, match=r"1 of 1 answers are of images without ground truth, the first of image 9.*\(--unknown empty; in"):
        metric.records([Answer(9, LONG)])
    empty = HalBench({}, unknown="empty").records([Answer(9, "A dog is there.")])[0]
    assert empty.counts[:5] == (1, 1, 1, 1, 1)
    with pytest.raises(BadInput, match=r"HalBench\.unknown must be one of"):
        HalBench({}, unknown="ignore")
