"""OPOPE against loops, the quirks of its rule, and captions that do not count."""

import math
import random

import pytest

from analysis.datasets.pope import STRATEGIES, poll
from analysis.datasets.pope_question import PopeQuestion
from analysis.metrics import METRICS
from analysis.metrics.aggregate import score
from analysis.metrics.metric import Answer, Metric
from analysis.metrics.opope import Opope, sighted
from probes.command.cli import BadInput

NAMES = ("dog", "traffic light", "car", "apple", "hot dog", "bus", "cup", "bowl", "bear")
SCENES = {i: random.Random(i).sample(NAMES, 4) for i in range(1, 13)}
QUESTIONS = poll(SCENES, [*SCENES])
CAPTIONS = [Answer(i, "A photo of a " + " and a ".join(random.Random(-i).sample(NAMES, 3)) + ".") for i in SCENES]


def asked_for(name, label="yes"):
    return PopeQuestion("random/1", 1, "", name, label, name, "random")


def contains(caption, word):
    """Whether a word is somewhere in a caption, character by character."""
    return any(caption[i : i + len(word)] == word for i in range(len(caption) - len(word) + 1))


def by_hand(questions, captions, beta):
    """Measures by counting again for each of them."""
    text = {answer.image_id: answer.text for answer in captions}
    found = {}
    for strategy in STRATEGIES:
        mine = [question for question in questions if question.strategy == strategy and question.image_id in text]
        said = ["yes" if any(contains(text[q.image_id], word) for word in q.object.split(" ")) else "no" for q in mine]
        pairs = [(question.label, answer) for question, answer in zip(mine, said, strict=True)]
        precision = pairs.count(("yes", "yes")) / said.count("yes")
        recall = pairs.count(("yes", "yes")) / sum(question.label == "yes" for question in mine)
        found[f"accuracy/{strategy}"] = sum(label == answer for label, answer in pairs) / len(pairs)
        found[f"precision/{strategy}"] = precision
        found[f"recall/{strategy}"] = recall
        found[f"f1/{strategy}"] = 2 / (1 / precision + 1 / recall)
        # F_beta as a weighted harmonic mean: weights beta^2 of recall to 1 of precision
        found[f"f_beta/{strategy}"] = (1 + beta**2) / (1 / precision + beta**2 / recall)
        found[f"yes_ratio/{strategy}"] = said.count("yes") / len(said)
    for name in ("accuracy", "precision", "recall", "f1", "f_beta", "yes_ratio"):
        found[name] = sum(found[f"{name}/{strategy}"] for strategy in STRATEGIES) / 3
    return found


@pytest.mark.parametrize("beta", [0.2, 1.0, 3.0])
def test_measures_are_those_of_the_loops(beta):
    metric = Opope(QUESTIONS, beta)
    found = score(metric, metric.records(CAPTIONS)).metrics
    assert found == pytest.approx(by_hand(QUESTIONS, CAPTIONS, beta))
    assert list(found)[:6] == ["accuracy", "precision", "recall", "f1", "f_beta", "yes_ratio"]
    if beta == 1:
        assert found["f_beta"] == pytest.approx(found["f1"])


@pytest.mark.parametrize(
    ("name", "caption", "word"),
    [
        ("traffic light", "A light wall", "light"),
        ("traffic light", "Heavy traffic", "traffic"),
        ("cat", "It is located here", "cat"),
        ("car", "A scarf", "car"),
        ("hot dog", "A dog", "dog"),
        ("bear", "A man with a beard", "bear"),
        ("dog", "Dogs and a Dog", ""),
        ("person", "A man", ""),
        ("dog", "", ""),
        ("cell phone", "A smartphone", "phone"),
        ("tv", "A TV", ""),
    ],
)
def test_quirks_of_the_rule(name, caption, word):
    found = sighted(caption, asked_for(name))
    assert (found.word, found.polled.prediction) == (word, "yes" if word else "no")
    assert caption[found.start : found.end] == word if word else (found.start, found.end) == (-1, -1)


def test_the_last_caption_of_an_image_counts_and_the_others_say_so():
    first, *others = CAPTIONS
    metric = Opope(QUESTIONS)
    records = metric.records([Answer(first.image_id, "nothing"), *CAPTIONS])
    assert records[0].passed_over == records[0].as_dict()["passed_over"] == "a later caption of this image counts"
    assert (sum(records[0].counts), records[0].sightings) == (0, ())
    assert score(metric, records[1:]).metrics == score(metric, records).metrics
    with pytest.raises(BadInput, match=r"^image 1: it has several captions, one is looked at"):
        Opope(QUESTIONS, repeats="error").records([*CAPTIONS, first])
    assert len(Opope(QUESTIONS, repeats="error").records([first, *others])) == len(CAPTIONS)


def test_an_image_with_too_few_objects_passes_its_caption_over():
    scenes = SCENES | {40: ("dog", "cup")}
    captions = [*CAPTIONS, Answer(40, "A kite")]
    questions = poll(scenes, [answer.image_id for answer in captions])
    records = Opope(questions).records(captions)
    assert records[-1].as_dict() == {"image_id": 40, "questions": [], "passed_over": "no question is asked about this image"}
    assert {record.passed_over for record in records[:-1]} == {""}
    assert score(Opope(questions), records).images == len(CAPTIONS)


def test_questions_are_built_on_the_captioned_images_alone():
    # "bowl" is frequent in the set, but on the captioned images nobody has it: it cannot be asked for
    scenes = {1: ("dog", "car", "bus"), 2: ("dog", "cup", "apple"), 3: ("bear", "car", "cup")} | dict.fromkeys(
        range(4, 9), ("bowl", "bus", "bear")
    )
    everywhere = poll(scenes, [*scenes])
    captioned = poll(scenes, [1, 2, 3])
    assert "bowl" in {question.object for question in everywhere if question.image_id == 1}
    assert "bowl" not in {question.object for question in captioned}


def test_a_record_has_every_question_with_its_word_and_place():
    record = Opope(QUESTIONS).records(CAPTIONS)[0]
    told = record.as_dict()
    assert list(told) == ["image_id", "questions"]
    assert len(told["questions"]) == sum(record.counts) == 18
    for one in told["questions"]:
        assert one["right"] == (one["label"] == one["prediction"])
        assert CAPTIONS[0].text[one["start"] : one["end"]] == one["word"] if one["word"] else one["start"] == one["end"] == -1


def test_what_has_no_denominator_is_nan_and_says_why():
    metric = Opope(QUESTIONS)
    found = score(metric, metric.records([Answer(i, "") for i in SCENES]))
    assert {name for name, value in found.metrics.items() if math.isnan(value)} == {
        name + strategy for name in ("precision", "f1", "f_beta") for strategy in ("", "/random", "/popular", "/adversarial")
    }
    assert found.reasons["f_beta"] == "random, popular, adversarial: no yes is right"
    assert (found.metrics["accuracy"], found.metrics["recall"], found.metrics["yes_ratio"]) == (0.5, 0, 0)
    nothing = score(Opope([]), Opope([]).records([Answer(1, "A dog")]))
    assert nothing.reasons["accuracy/random"] == "no question was asked"


def test_polled_images_without_caption_are_told_or_left_out():
    with pytest.raises(BadInput, match=r"^2 of 12 images with questions have no caption, the first is 1; build the questions"):
        Opope(QUESTIONS).records(CAPTIONS[2:])
    metric = Opope(QUESTIONS, missing="leave")
    assert score(metric, metric.records(CAPTIONS[2:])).metrics == pytest.approx(by_hand(QUESTIONS, CAPTIONS[2:], 0.2))


@pytest.mark.parametrize(
    ("options", "law"),
    [
        ({"beta": 0.0}, "Opope.beta must be a positive number, at most 1000; got 0.0"),
        ({"beta": 1e308}, "Opope.beta must be a positive number, at most 1000; got 1e+308"),
        ({"beta": math.nan}, "Opope.beta must be a positive number, at most 1000; got nan"),
        ({"repeats": "first"}, "Opope.repeats must be one of last, error; got 'first'"),
        ({"missing": "skip"}, "Opope.missing must be one of error, leave; got 'skip'"),
        ({"questions": [asked_for("")]}, "Opope.questions must name their objects; 1 do not, the first is 'random/1'"),
    ],
)
def test_options_keep_their_laws(options, law):
    with pytest.raises(BadInput) as caught:
        Opope(**{"questions": QUESTIONS} | options)
    assert law in str(caught.value)


def test_it_is_a_metric_by_name():
    metric = METRICS["opope"](QUESTIONS)
    assert isinstance(metric, Metric)
    assert set(metric.primary) <= set(metric.measures)
