"""CHAIR's quirks and edge cases, one by one: what the public code does with words, and with captions and images that lack something."""

import json
import math

import pytest

from analysis.metrics import METRICS
from analysis.metrics.aggregate import score
from analysis.metrics.chair import COUNTS, Chair, count, ratios, score_caption
from analysis.metrics.metric import Answer, Metric
from analysis.metrics.text_quality import TEXT_COUNTS, TEXT_RATIOS
from analysis.words.readers import Bundled, Exact
from analysis.words.words import synonyms
from probes.command.cli import BadInput

BOTH = [
    # lemmas that are no CHAIR words
    ("Three men stand by two women.", ["person"]),
    ("Two vases, teeth and dice on a table.", ["dining table"]),
    # verbs count
    ("A woman is seated at a desk.", ["person", "chair", "dining table"]),
    ("He is skiing down the hill.", ["skis"]),
    ("A cat is tied up.", ["cat", "tie"]),
    ("A person snowboarding down a slope.", ["person", "snowboard"]),
    ("A man grooming a horse.", ["person", "person", "horse"]),
    ("A baby was born.", ["person", "bear"]),
    ("The burden is borne by them.", ["bear"]),
    # pairs and their exceptions
    ("A parking meter on the street.", ["parking meter"]),
    ("A potted plant stands.", ["potted plant"]),
    ("A hair drier on the sink.", ["hair drier", "sink"]),
    ("My hair is drier than yours.", []),
    ("A bow tie.", ["tie"]),
    ("A wine glass, wine glasses and two wine glas", ["wine glass"] * 3),
    ("A baby elephant and an adult bear", ["elephant", "bear"]),
    ("A passenger train near a passenger jet", ["train", "airplane"]),
    ("He slides into home plate.", []),
    ("A train on train tracks by railroad tracks.", ["train"]),
    ("a stove top oven", ["oven", "oven"]),
    ("The stove is black.", ["oven"]),
    # entries of the table that never match
    ("A motor bike and a slice of cheesecake.", []),
    ("An iPhone on a desk.", ["dining table"]),
    # objects reached through one word only, and words that mean something else
    ("A dining table in a dining room.", ["dining table"]),
    ("A sports ball.", ["sports ball"]),
    ("An orange shirt.", ["orange"]),
    ("There is no dog. It might be a cat.", ["dog", "cat"]),
    ("Roast turkey and duck.", ["bird", "bird"]),
    ("A notebook and a pair of glasses.", ["laptop"]),
    ("A hotdog, a tennis racquet, a hair dryer, a pedestrian, a policewoman, an umpire and a batter.", []),
    ("The bus and the minibus.", ["bus", "bus"]),
    # words that are glued
    ("A black-and-white dog-house.", []),
    ("a laptop.The end", []),
    ("A 'cat'.", []),
    # seat and toilet
    ("A toilet seat.", ["toilet"]),
    ("Seated near a toilet with a seat.", ["toilet"]),
    ("A seat and a bench.", ["chair", "bench"]),
]
# what the tagger decides: exact, bundled
TAGGED = [
    ("There is enough seating for everyone.", [], ["chair"]),
    ("Skiing is fun.", [], ["skis"]),
    ("They are biking and boating.", ["bicycle"], ["bicycle", "boat"]),
    ("Two parking meters stand there.", [], ["parking meter"]),
    ("A freshly potted plant.", [], ["potted plant"]),
    ("Colorful umbrellas line the street.", [], ["umbrella"]),
    ("They stove in the boat.", ["boat"], ["oven", "boat"]),
]


def objects(caption, reader):
    return [mention.object for mention in score_caption(caption, (), reader=reader).mentions]


@pytest.mark.parametrize(("caption", "expected"), BOTH)
def test_quirks_of_both_readers(nltk_data, caption, expected):
    assert objects(caption, Bundled()) == expected
    if nltk_data:
        assert objects(caption, Exact()) == expected
    else:
        with pytest.raises(BadInput, match="NLTK"):
            Exact()


@pytest.mark.parametrize(("caption", "exact", "bundled"), TAGGED)
def test_quirks_that_the_tagger_decides(nltk_data, caption, exact, bundled):
    assert objects(caption, Bundled()) == bundled
    if nltk_data:
        assert objects(caption, Exact()) == exact
    else:
        with pytest.raises(BadInput, match="NLTK"):
            Exact()


def test_no_word_stands_for_an_empty_object():
    assert "" not in synonyms()
    assert "" not in synonyms().values()


def counts(record):
    return dict(zip(COUNTS, record.counts, strict=True))


@pytest.mark.parametrize("caption", ["", "  \n", "Nothing here"])
def test_a_caption_without_objects_counts_and_misses_every_object(caption):
    found = counts(score_caption(caption, {"dog", "cat"}))
    length = found.pop("length")
    assert {name: value for name, value in found.items() if name not in TEXT_COUNTS} == dict.fromkeys(COUNTS[:7], 0) | {
        "captions": 1,
        "truth": 2,
    }
    assert length == len(caption.split())
    assert score_caption(caption, {"dog"}).metrics == {"chair_s": 0, "chair_i": 0, "recall": 0, "precision": 0, "f1": 0}


def test_a_captions_own_measures():
    assert score_caption("A dog, a dog and a kite.", {"dog", "cat", "cup"}).metrics == {
        "chair_s": 1.0,
        "chair_i": pytest.approx(1 / 3),
        "recall": pytest.approx(1 / 3),
        "precision": pytest.approx(1 / 2),
        "f1": pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3)),
    }
    # an image without objects: recall 0, no precision, no F1
    assert score_caption("A dog.", ()).metrics == {"chair_s": 1.0, "chair_i": 1.0, "recall": 0.0}


def test_an_unknown_image_is_an_error_or_empty_as_in_the_public_code():
    answers = [Answer(7, "A dog."), Answer(9, "A dog and a cat.")]
    told = r"^1 of 2 captions are of images without .* first of image 9; .*\(--unknown empty; in Python unknown=\"empty\"\)\.$"
    with pytest.raises(BadInput, match=told):
        Chair({7: frozenset(("dog",))}).records(answers)
    first, second = Chair({7: frozenset(("dog",))}, unknown="empty").records(answers)
    assert not any(mention.hallucinated for mention in first.mentions)
    assert all(mention.hallucinated for mention in second.mentions)
    assert (second.truth, second.recalled) == ((), ())
    with pytest.raises(ValueError, match=r"Chair\.unknown must be one of error, empty; got 'skip'\."):
        Chair({}, unknown="skip")


def test_an_image_that_is_captioned_twice_counts_twice_with_its_objects():
    metric = Chair({1: frozenset(("dog", "cat"))})
    once, twice = (metric.records([Answer(1, "A dog.")] * n) for n in (1, 2))
    assert [2 * value for value in once[0].counts] == [a + b for a, b in zip(*(record.counts for record in twice), strict=True)]
    found = score(metric, twice)
    assert (found.answers, found.images) == (2, 1)
    assert found.metrics["recall"] == 0.5


@pytest.mark.parametrize(
    ("answers", "undefined"),
    [
        ([], {"chair_s", "chair_i", "recall", "precision", "f1", "f1_instance", "length", "mentions", *TEXT_RATIOS}),
        ([Answer(1, "Nothing at all there.")], {"chair_i", "precision", "f1", "f1_instance", "echoes"}),
        ([Answer(1, "A kite flies there.")], {"f1", "f1_instance"}),
        ([Answer(2, "A kite flies there.")], {"recall", "f1", "f1_instance"}),
        ([Answer(1, "A kite.")], {"f1", "f1_instance", "repeated_4grams"}),
    ],
    ids=["no caption", "no mention", "nothing right", "no object in any image", "three words and marks"],
)
def test_zero_denominators_are_nan_with_a_reason(answers, undefined):
    metric = Chair({1: frozenset(("dog",)), 2: frozenset()})
    found = score(metric, metric.records(answers))
    assert {name for name, value in found.metrics.items() if math.isnan(value)} == undefined
    assert all(found.reasons[name] and not found.reasons[name].startswith("interval") for name in undefined)


def test_tokens_of_mentions_are_raw_and_hold_behind_a_dropped_seat():
    caption = "The seat of a toilet seat, hot dogs and a cat"
    raw = ["the", "seat", "of", "a", "toilet", "seat", ",", "hot", "dogs", "and", "a", "cat"]
    found = score_caption(caption, ("cat",))
    assert [(mention.word, raw[slice(*mention.tokens)]) for mention in found.mentions] == [
        ("toilet", ["toilet", "seat"]),
        ("hot dog", ["hot", "dogs"]),
        ("cat", ["cat"]),
    ]
    assert found.length == 10


def test_the_length_counts_a_dropped_seat_and_marks():
    assert score_caption("A toilet next to a seat.", ()).length == 7
    both = [score_caption("A toilet next to a seat.", ()), score_caption("", ())]
    assert ratios(count(both).sum(0))["length"] == 3.5


def test_an_unfinished_last_sentence_is_read_too():
    assert objects("A dog. A cat next to a", Bundled()) == ["dog", "cat"]


def test_both_f1_by_hand():
    metric = Chair({1: frozenset(("dog", "cat", "cup"))})
    found = score(metric, metric.records([Answer(1, "A dog, a dog, a kite.")])).metrics
    precision, recall, instance = 1 / 2, 1 / 3, 2 / 3
    assert found["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert found["f1_instance"] == pytest.approx(2 * instance * recall / (instance + recall))


def test_the_metric_is_registered_and_says_how_words_were_read(nltk_data):
    assert METRICS["chair"] is Chair
    assert isinstance(Chair({}), Metric)
    assert Chair({}).mode == "bundled"
    if nltk_data:
        assert Chair({}, Exact()).mode == "exact"
    assert set(Chair.primary) <= set(Chair.measures)


def test_a_record_as_json_has_places_in_characters_and_tokens():
    record = score_caption("Two Hot  dogs and a cat.", {"cat", "cup"}, image_id=5)
    assert json.loads(json.dumps(record.as_dict())) == {
        "image_id": 5,
        "mentions": [
            {"word": "hot dog", "object": "hot dog", "start": 4, "end": 13, "hallucinated": True, "tokens": [1, 3]},
            {"word": "cat", "object": "cat", "start": 20, "end": 23, "hallucinated": False, "tokens": [5, 6]},
        ],
        "recalled": ["cat"],
        "truth": ["cat", "cup"],
        "length": 6,
        "text": {**dict.fromkeys(TEXT_COUNTS, 0), "sentences": 1, "4grams": 4, "2grams": 6, "distinct_2grams": 6},
        "metrics": {"chair_s": 1.0, "chair_i": 0.5, "recall": 0.5, "precision": 0.5, "f1": 0.5},
    }
