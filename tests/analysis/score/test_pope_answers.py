"""Answers to POPE's questions in the layouts that programs write."""

import json

import pytest

from analysis.datasets.pope import STRATEGIES, poll
from analysis.metrics.metric import Answer
from analysis.score.pope_answers import read_pope_answers
from probes.command.cli import BadInput

SCENES = {1: ("dog", "cat", "car"), 2: ("dog", "car", "bus", "oven"), 3: ("cup", "bowl", "dog", "bed")}
QUESTIONS = poll(SCENES, {i: f"{i:012d}.jpg" for i in SCENES})
EXPECTED = [Answer(question.image_id, question.label, question.key) for question in QUESTIONS]


def written(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def of(strategy):
    return [question for question in QUESTIONS if question.strategy == strategy]


def number(question):
    return int(question.key.partition("/")[2])


@pytest.mark.parametrize("said", ["answer", "text", "response", "output"])
def test_one_file_a_strategy_with_question_ids(tmp_path, said):
    for strategy in STRATEGIES:
        written(
            tmp_path / f"llava_{strategy}_answers.jsonl",
            [{"question_id": number(q), "prompt": q.text, said: q.label} for q in of(strategy)],
        )
    written(tmp_path / "log.json", ["nothing"])
    found = read_pope_answers(tmp_path, QUESTIONS)
    assert sorted(found, key=lambda answer: answer.key) == sorted(EXPECTED, key=lambda answer: answer.key)


@pytest.mark.parametrize("name", ["strategy", "category"])
def test_one_file_that_names_the_strategies(tmp_path, name):
    path = written(tmp_path / "all.jsonl", [{"question_id": number(q), name: q.strategy, "text": q.label} for q in QUESTIONS])
    assert read_pope_answers(path, QUESTIONS) == EXPECTED


@pytest.mark.parametrize("name", ["key", "question_id"])
def test_one_file_with_keys(tmp_path, name):
    path = written(tmp_path / "all.jsonl", [{name: q.key, "answer": q.label} for q in reversed(QUESTIONS)])
    assert read_pope_answers(path, QUESTIONS) == EXPECTED[::-1]


def test_one_file_as_the_benchmark_writes_it(tmp_path):
    lines = [{"key": q.key, "image_id": q.image_id, "prompt": f"{q.text} Please answer yes or no.", "caption": q.label} for q in QUESTIONS]
    assert read_pope_answers(written(tmp_path / "baseline.jsonl", lines), QUESTIONS) == EXPECTED


def test_one_file_with_the_numbers_of_llava(tmp_path):
    """LLaVA asks all questions from one file, whose numbers begin anew at each ten million; its answers hold the prompt."""
    begins = {"adversarial": 0, "random": 10_000_000, "popular": 20_000_000}

    def line(question):
        prompt = f"{question.text.replace('an oven in the image', 'an oven in the imange')}\nAnswer the question using a single word."
        return {"question_id": begins[question.strategy] + number(question), "prompt": prompt, "text": question.label, "model_id": "llava"}

    assert read_pope_answers(written(tmp_path / "llava.jsonl", map(line, QUESTIONS)), QUESTIONS) == EXPECTED
    popular = written(tmp_path / "llava.jsonl", map(line, of("popular")))
    assert [answer.key for answer in read_pope_answers(popular, of("popular"))] == [question.key for question in of("popular")]
    bare = [{name: value for name, value in line(question).items() if name != "prompt"} for question in of("popular")]
    with pytest.raises(BadInput, match="the strategy cannot be told"):
        read_pope_answers(written(tmp_path / "llava.jsonl", bare), QUESTIONS)


@pytest.mark.parametrize("named", ["question", "prompt"])
def test_an_answer_about_another_object_is_refused(tmp_path, named):
    """Numbers of another strategy's questions fit each strategy's: only what was asked tells them apart."""
    lines = [{"question_id": number(q), named: q.text, "text": q.label} for q in of("adversarial")]
    path = written(tmp_path / "answers.jsonl", lines)
    told = r"line \d+: this answers 'Is there an? \w+ in the image\?', but .* was asked here \(question random"
    with pytest.raises(BadInput, match=told):
        read_pope_answers(path, of("random"))
    reworded = [line | {named: "Can you see it? Say yes or no."} for line in lines]
    assert len(read_pope_answers(written(path, reworded), of("random"))) == len(lines)


def test_the_layout_of_popes_authors_goes_by_the_order(tmp_path):
    for strategy in STRATEGIES:
        written(tmp_path / f"{strategy}.json", [{"question": q.text.lower(), "answer": q.label} for q in of(strategy)])
    assert set(read_pope_answers(tmp_path, QUESTIONS)) == set(EXPECTED)
    assert read_pope_answers(tmp_path / "random.json", of("random")) == EXPECTED[: len(of("random"))]


def test_an_only_strategy_need_not_be_named(tmp_path):
    path = written(tmp_path / "answers.jsonl", [{"question_id": number(q), "answer": q.label} for q in of("popular")])
    assert [answer.key for answer in read_pope_answers(path, of("popular"))] == [question.key for question in of("popular")]
    with pytest.raises(BadInput, match="the strategy cannot be told; add a 'strategy'"):
        read_pope_answers(path, QUESTIONS)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([{"key": "random/99", "answer": "yes"}], "line 1: question 'random/99' was not asked"),
        ([{"question_id": -1, "answer": "yes"}], "line 1: 'question_id' must be a whole number from 0 on"),
        ([{"question_id": 1, "answer": "yes"}] * 2, "line 2: question 'random/1' is answered twice"),
        ([{"question_id": 1, "text": QUESTIONS[0].text, "label": "yes"}], "line 1: the answer is the question itself"),
        ([{"key": "x" * 1000, "answer": "yes"}], f"line 1: question '{'x' * 80}' was not asked"),
        ([{"question_id": 1}], "line 1: no answer; it is looked for as answer, text"),
        ([{"question_id": 1, "answer": None}], "line 1: 'answer' must be a text; it is null"),
        ([{"answer": "yes"}] * 17, "17 answers in the order of the questions, which are 18; the file may be cut off"),
        ([{"answer": "yes"}] * 19, "line 19: answers in the order of the questions, but there are only 18"),
        (
            [{"question": "Is there a kite in the image?", "answer": "yes"}] * 18,
            "line 1: this answers 'Is there a kite in the image?', but",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, lines, told):
    with pytest.raises(BadInput) as caught:
        read_pope_answers(written(tmp_path / "random.jsonl", lines), QUESTIONS)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_and_a_folder_that_tell_nothing(tmp_path):
    with pytest.raises(BadInput, match="no file of answers in this folder"):
        read_pope_answers(tmp_path, QUESTIONS)
    with pytest.raises(BadInput, match="answers without question_id need one file a strategy"):
        read_pope_answers(written(tmp_path / "all.jsonl", [{"answer": "yes"}]), QUESTIONS)
    assert read_pope_answers(written(tmp_path / "random.jsonl", []), QUESTIONS) == []
