"""POPE's measures against loops and scikit-learn, their averages, what is undefined, and answers that cannot be used."""

import math
import random
import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from analysis.datasets.pope import STRATEGIES, poll
from analysis.metrics import METRICS
from analysis.metrics.aggregate import by_image, compare, score
from analysis.metrics.metric import SHARE, Answer, Metric
from analysis.metrics.polling import strategies_of
from analysis.metrics.pope import Pope
from probes.command.cli import BadInput, Notice

NAMES = ("dog", "cat", "car", "apple", "oven", "bus", "cup", "bowl")
SCENES = {i: random.Random(i).sample(NAMES, 4) for i in range(1, 13)}
QUESTIONS = poll(SCENES, [*SCENES])


def answered(questions, seed, right=0.75, neither=0.0):
    draw = random.Random(seed)
    said = {True: {"yes": "Yes.", "no": "No, there is not."}, False: {"yes": "No", "no": "Yes, there is."}}
    return [
        Answer(asked.image_id, "Hm" if draw.random() < neither else said[draw.random() < right][asked.label], asked.key)
        for asked in questions
    ]


def by_hand(metric, answers):
    """Measures by counting again for each of them."""
    label = {question.key: question.label for question in metric.questions}
    found = {}
    for strategy in STRATEGIES:
        mine = [record for record in metric.records(answers) if record.polled.question.strategy == strategy]
        yes = [record for record in mine if record.polled.prediction == "yes"]
        right = [record for record in mine if record.polled.prediction == label[record.polled.question.key]]
        true = [record for record in right if record in yes]
        there = [record for record in mine if label[record.polled.question.key] == "yes" and record.polled.prediction]
        precision, recall = len(true) / len(yes), len(true) / len(there)
        found[f"accuracy/{strategy}"] = len(right) / len(mine)
        found[f"precision/{strategy}"] = precision
        found[f"recall/{strategy}"] = recall
        found[f"f1/{strategy}"] = 2 / (1 / precision + 1 / recall)
        found[f"yes_ratio/{strategy}"] = len(yes) / len(mine)
    for name in ("accuracy", "precision", "recall", "f1", "yes_ratio"):
        found[name] = sum(found[f"{name}/{strategy}"] for strategy in STRATEGIES) / 3
    return found


@pytest.mark.parametrize(("parser", "neither"), [("pope", 0.0), ("opera", 0.0), ("vcd", 0.2), ("exact", 0.0)])
def test_measures_are_those_of_the_loops(parser, neither):
    metric = Pope(QUESTIONS, parser)
    answers = answered(QUESTIONS, seed=1, neither=neither)
    if parser == "exact":  # its answers are one word
        answers = [Answer(answer.image_id, answer.text.partition(",")[0].strip("."), answer.key) for answer in answers]
    with warnings.catch_warnings():
        if neither:  # which is told
            warnings.simplefilter("ignore", Notice)
        assert score(metric, metric.records(answers)).metrics == pytest.approx(by_hand(metric, answers))


def test_measures_are_those_of_scikit_learn():
    metric = Pope(QUESTIONS)
    records = metric.records(answered(QUESTIONS, seed=2))
    found = score(metric, records).metrics
    f1 = []
    for strategy in STRATEGIES:
        polled = [record.polled for record in records if record.polled.question.strategy == strategy]
        label, said = [one.question.label for one in polled], [one.prediction for one in polled]
        expected = precision_recall_fscore_support(label, said, pos_label="yes", average="binary")[:3]
        assert [found[f"{name}/{strategy}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected)
        assert found[f"accuracy/{strategy}"] == pytest.approx(accuracy_score(label, said))
        f1.append(expected[2])
    assert found["f1"] == pytest.approx(np.mean(f1))


def test_the_average_f1_is_not_that_of_the_averages_nor_of_all_answers():
    questions = poll(SCENES, [*SCENES])
    # all that is there is found; every absent object is claimed in one strategy only
    answers = [Answer(q.image_id, "Yes" if q.label == "yes" or q.strategy == "popular" else "No", q.key) for q in questions]
    found = score(Pope(questions), Pope(questions).records(answers)).metrics
    assert found["f1"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert found["precision"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert found["f1"] != pytest.approx(2 * found["precision"] / (found["precision"] + 1))
    assert found["f1"] != pytest.approx(2 * 108 / (2 * 108 + 36))


def test_an_answer_that_is_neither_is_wrong_but_no_refusal():
    asked = [question for question in QUESTIONS if question.strategy == "random"][:4]
    answers = [Answer(q.image_id, text, q.key) for q, text in zip(asked, ("yes", "Perhaps", "yes.", "no"), strict=True)]
    metric = Pope(asked, parser="exact")
    with pytest.warns(
        Notice, match=r"^2 of 4 answers \(50\.0 %\) are neither yes nor no and taken for wrong \(rule exact\); .* 'Perhaps'\.$"
    ):
        records = metric.records(answers)
    found = score(metric, records).metrics
    # as lmms-eval counts: the recall's denominator leaves "yes." out
    assert (found["accuracy"], found["recall"], found["yes_ratio"]) == (0.5, 1.0, 0.25)


@pytest.mark.parametrize(
    ("said", "undefined"),
    [("no", {"precision", "f1"}), ("yes", set())],
)
def test_what_has_no_denominator_is_nan_and_says_why(said, undefined):
    metric = Pope(QUESTIONS)
    found = score(metric, metric.records([Answer(q.image_id, said, q.key) for q in QUESTIONS]))
    nan = {name for name, value in found.metrics.items() if math.isnan(value)}
    assert nan == undefined | {f"{name}/{strategy}" for name in undefined for strategy in STRATEGIES}
    assert not any(found.reasons[name].startswith("interval") for name in nan)
    if undefined:
        assert found.reasons["precision"] == "random, popular, adversarial: no answer is yes"
        assert found.reasons["f1/random"] == "no yes is right"


def test_one_undefined_strategy_makes_the_average_undefined():
    metric = Pope(QUESTIONS)
    answers = [Answer(q.image_id, "no" if q.strategy == "popular" else "yes", q.key) for q in QUESTIONS]
    found = score(metric, metric.records(answers))
    assert found.reasons["f1"] == "popular: no yes is right"
    assert found.metrics["f1/random"] == pytest.approx(2 / 3)
    assert found.metrics["accuracy"] == 0.5


def test_nothing_asked_and_nothing_answered_is_told_and_no_crash():
    for metric in (Pope([]), Pope(QUESTIONS, missing="leave")):
        found = score(metric, metric.records([]))
        assert all(math.isnan(value) for value in found.metrics.values())
        assert found.reasons["accuracy"] == "random, popular, adversarial: no question was asked"
        assert (found.answers, found.images) == (0, 0)


def test_a_record_is_one_answer_of_one_image():
    metric = Pope(QUESTIONS)
    answers = answered(QUESTIONS, seed=3)[::-1]
    records = metric.records(answers)
    assert [record.polled.question.key for record in records] == [answer.key for answer in answers]
    first = records[0]
    assert sum(first.counts) == 1
    assert dict(zip(metric.counts, first.counts, strict=True))[f"{first.polled.cell}/adversarial"] == 1
    asked = first.polled.question
    assert first.as_dict() == {
        "image_id": asked.image_id,
        "key": asked.key,
        "object": asked.object,
        "label": asked.label,
        "prediction": first.polled.prediction,
        "right": first.polled.prediction == asked.label,
    }
    ids, counts = by_image(metric, records)
    assert ids == sorted(SCENES)
    assert set(counts.sum(axis=1)) == {18}


def test_one_strategy_is_its_own_average():
    only = [question for question in QUESTIONS if question.strategy == "popular"]
    metric = Pope(only)
    found = score(metric, metric.records(answered(only, seed=4))).metrics
    assert list(found) == list(metric.measures)
    assert all(found[name] == found[f"{name}/popular"] for name in ("accuracy", "precision", "recall", "f1", "yes_ratio"))


def test_strategies_stand_in_the_order_of_the_published_tables():
    assert strategies_of(QUESTIONS[::-1]) == STRATEGIES
    assert strategies_of([]) == STRATEGIES
    assert {measure.unit for measure in Pope(QUESTIONS).measures.values()} == {SHARE}
    assert list(Pope(QUESTIONS).measures)[:6] == ["accuracy", "precision", "recall", "f1", "yes_ratio", "accuracy/random"]


def test_methods_are_compared_within_images():
    metric = Pope(QUESTIONS)
    records = {"baseline": metric.records(answered(QUESTIONS, 5, 0.6)), "other": metric.records(answered(QUESTIONS, 6, 0.95))}
    rows = {row.name: row for row in compare(metric, records, "baseline")}
    row = rows["pope/f1/other - baseline"]
    assert row.role == "primary"
    assert row.interval[0] > 0
    assert row.p_adjusted < 0.01
    assert rows["pope/accuracy/popular/other - baseline"].role == "exploratory"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda answers: [*answers, Answer(1, "yes", "random/999")],
            "'random/999': no question has this key; keys are such as 'random/1'",
        ),
        (lambda answers: [*answers, answers[0]], "answer 'random/1': this question is answered twice"),
        (lambda answers: [Answer(7, "yes", "random/1"), *answers[1:]], "answer 'random/1': it is of image 7, the question of image 1"),
        (lambda answers: answers[2:], "2 of 216 questions have no answer, the first is 'random/1'"),
    ],
)
def test_answers_that_cannot_be_used_are_one_line(change, told):
    with pytest.raises(BadInput) as caught:
        Pope(QUESTIONS).records(change(answered(QUESTIONS, seed=7)))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unanswered_questions_can_be_left_out():
    metric = Pope(QUESTIONS, missing="leave")
    answers = answered(QUESTIONS, seed=8)
    found = score(metric, metric.records(answers[10:]))
    assert found.answers == len(answers) - 10
    assert found.metrics["accuracy/popular"] == score(Pope(QUESTIONS), Pope(QUESTIONS).records(answers)).metrics["accuracy/popular"]


@pytest.mark.parametrize(
    ("options", "law"),
    [
        ({"parser": "gpt"}, "Pope.parser must be one of pope, opera, vcd, exact; got 'gpt'"),
        ({"missing": "skip"}, "Pope.missing must be one of error, leave; got 'skip'"),
        ({"questions": QUESTIONS[:1] * 2}, "Pope.questions must have keys of their own"),
    ],
)
def test_options_keep_their_laws(options, law):
    with pytest.raises(BadInput) as caught:
        Pope(**{"questions": QUESTIONS} | options)
    assert law in str(caught.value)


def test_it_is_a_metric_by_name():
    metric = METRICS["pope"](QUESTIONS)
    assert isinstance(metric, Metric)
    assert metric.mode == "pope: first sentence, label-free"
    assert set(metric.primary) <= set(metric.measures)
