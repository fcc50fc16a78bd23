"""POPE's question files as their owners distribute them, OPERA's copy, and files that cannot be used."""

import json

import pytest

from analysis.datasets.pope import poll, read_pope, write_pope
from analysis.datasets.pope_question import PopeQuestion, asked_for
from probes.command.cli import BadInput

LINE = {"question_id": 1, "image": "COCO_val2014_000000310196.jpg", "text": "Is there a snowboard in the image?", "label": "yes"}
OPERAS = {"question_id": 2, "image": "COCO_val2014_000000310196.jpg", "text": "Is there an umbrella in the imange?", "label": "no"}
SCENES = {1: ("dog", "cat", "car"), 2: ("dog", "car", "bus", "oven"), 3: ("cup", "bowl", "dog", "bed")}


def written(path, *lines):
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_a_file_of_its_owners_is_read(tmp_path):
    path = written(tmp_path / "coco_pope_popular.json", LINE, OPERAS | {"image_id": 5, "label": "No "})
    assert read_pope(path) == [
        PopeQuestion("popular/1", 310196, LINE["image"], LINE["text"], "yes", "snowboard", "popular"),
        PopeQuestion("popular/2", 5, LINE["image"], "Is there an umbrella in the imange?", "no", "umbrella", "popular"),
    ]


def test_a_folder_is_read_in_the_order_of_the_strategies_and_nothing_else_of_it(tmp_path):
    for name in ("random", "popular", "adversarial"):
        written(tmp_path / f"coco_pope_{name}.json", LINE)
    written(tmp_path / "coco_co_occur.json", "no questions")
    written(tmp_path / "llava_coco_pope_random_answers.jsonl", "no questions")
    assert [question.key for question in read_pope(tmp_path)] == ["random/1", "popular/1", "adversarial/1"]
    (tmp_path / "coco_pope_random.json").unlink()
    assert [question.strategy for question in read_pope(tmp_path)] == ["popular", "adversarial"]
    written(tmp_path / "gqa_pope_popular.json", LINE)
    with pytest.raises(BadInput, match=r"both coco_pope_popular\.json and gqa_pope_popular\.json hold popular questions"):
        read_pope(tmp_path)


def test_what_is_written_is_read_again(tmp_path):
    questions = poll(SCENES, {i: f"COCO_val2014_{i:012d}.jpg" for i in SCENES})
    paths = write_pope(tmp_path, questions)
    assert [path.name for path in paths] == ["coco_pope_random.json", "coco_pope_popular.json", "coco_pope_adversarial.json"]
    assert read_pope(tmp_path) == questions
    first = json.loads(paths[0].read_text().splitlines()[0])
    assert first == {
        "question_id": 1,
        "image": "COCO_val2014_000000000001.jpg",
        "image_id": 1,
        "text": "Is there a dog in the image?",
        "label": "yes",
    }


def test_the_strategy_is_in_the_name_or_given(tmp_path):
    path = written(tmp_path / "mine.json", LINE)
    with pytest.raises(BadInput, match="does not tell one strategy"):
        read_pope(path)
    assert read_pope(path, strategy="seem")[0].key == "seem/1"
    with pytest.raises(BadInput, match="does not tell one strategy"):
        read_pope(written(tmp_path / "random_and_popular.json", LINE))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([LINE, LINE], "line 2: question_id 1 stands there twice"),
        ([LINE | {"label": "maybe"}], "line 1: 'label' must be yes or no; got 'maybe'"),
        ([LINE | {"label": True}], "line 1: 'label' must be a text; it is true or false"),
        ([{name: value for name, value in LINE.items() if name != "text"}], "line 1: 'text' must be a text; it is missing"),
        ([{name: value for name, value in LINE.items() if name != "image"}], "line 1: 'image' must be a text; it is missing"),
        ([{name: value for name, value in LINE.items() if name != "question_id"}], "line 1: 'question_id' must be a whole number"),
        ([LINE | {"image": "cat.jpg"}], "line 1: the image's name 'cat.jpg' does not end in a number"),
        ([LINE | {"image_id": "x"}], "line 1: 'image_id' must be a whole number from 0 on"),
        (['{"question_id": NaN}'], "line 1: NaN is no number"),
        (['{"question_id": 1, "image": "COCO'], "line 1: no valid JSON"),
        (["[]"], "no question in this file"),
        (["[[]]"], "item 1: a JSON object is needed, this is a list"),
        ([LINE | {"text": "Is there a " + "x" * 200_000 + " in the image?"}], "line 1: 'text' has 200,025 characters"),
        ([], "no question in this file"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, lines, told):
    with pytest.raises(BadInput) as caught:
        read_pope(written(tmp_path / "coco_pope_random.json", *lines))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_other_bytes_and_an_empty_folder_are_told(tmp_path):
    with pytest.raises(BadInput, match="no file of questions in this folder"):
        read_pope(tmp_path)
    with pytest.raises(BadInput, match="there is no such file"):
        read_pope(tmp_path / "coco_pope_random.json")
    (tmp_path / "coco_pope_random.json").write_bytes(b'{"text": "\xff"}\n')
    with pytest.raises(BadInput, match="line 1: no UTF-8"):
        read_pope(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Is there a traffic light in the image?", "traffic light"),
        ("Is there an orange in the imange?", "orange"),
        ("Is there a dog in the image?\nAnswer the question using a single word or phrase.", "dog"),
        ("hot dog", "hot dog"),
        ("Do you see a dog?", ""),
    ],
)
def test_the_object_of_a_question(text, name):
    assert asked_for(text) == name


@pytest.mark.parametrize(
    ("field", "value", "law"),
    [("label", "maybe", "yes or no"), ("strategy", "", "a name without '/'"), ("strategy", "a/b", "a name"), ("key", "1", "<strategy>/")],
)
def test_a_question_keeps_its_laws(field, value, law):
    fields = {"key": "random/1", "image_id": 1, "image": "1.jpg", "text": "?", "label": "yes", "object": "", "strategy": "random"}
    with pytest.raises(ValueError, match=law):
        PopeQuestion(**fields | {field: value})
