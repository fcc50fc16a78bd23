"""Caption files as other people's tools write them, and as nobody should have written them."""

import gzip
import json
import os

import pytest

from analysis.metrics.metric import Answer
from analysis.score.answers import read_answers, tell_of_repeats
from probes.command.cli import BadInput, Notice
from tests.analysis.score.door import refused, score, write_captions, write_lines


@pytest.mark.parametrize(
    "row",
    [
        {"image_id": 42, "caption": "A dog."},
        {"image_id": "42", "caption": "A dog."},
        {"image_id": 42.0, "caption": "A dog."},
        {"image_id": "COCO_val2014_000000000042.jpg", "text": "A dog."},
        {"image": "COCO_val2014_000000000042.jpg", "response": "A dog.", "question": "Please describe this image in detail."},
        {"image": "val2014/COCO_val2014_000000000042", "answer": "A dog."},
        {"id": 42, "response": "A dog.", "model": "llava"},
        {"image_id": 42, "output": "A dog.", "id": 7},
        {"file_name": "COCO_val2014_000000000042.jpg", "caption": "A dog."},
        {"image_id": 42, "image_path": "/data/val2014/COCO_val2014_000000000042.jpg", "caption": "A dog."},
        {"id": 0, "image": "COCO_val2014_000000000042.jpg", "caption": "A dog."},
        {"id": 42, "image": "copies/7.jpg", "caption": "A dog."},
        {"image_id": 42, "image": "AAAA/BBBB==", "caption": "A dog."},
    ],
)
def test_the_names_that_the_references_use_are_read(tmp_path, row):
    assert read_answers(write_lines(tmp_path / "said.jsonl", [row])) == [Answer(42, "A dog.")]


def test_a_list_is_read_as_its_lines_are(tmp_path):
    rows = [{"image_id": i, "caption": f"caption {i} \u2028 with é"} for i in range(5)]
    lines = write_lines(tmp_path / "said.jsonl", rows)
    listed = tmp_path / "said.json"
    listed.write_text("\ufeff \n" + json.dumps(rows, indent=2), encoding="utf-8")
    assert read_answers(listed) == read_answers(lines)
    lines.write_text("\n" + lines.read_text().replace("\n", "\r\n\r\n"))
    assert read_answers(listed) == read_answers(lines)
    assert [answer.text for answer in read_answers(lines)] == [row["caption"] for row in rows]


def test_an_empty_file_and_an_empty_list_are_no_captions(tmp_path):
    for content in ("", "\n\n", "[]", "[ ]\n"):
        path = tmp_path / "said.json"
        path.write_text(content)
        assert read_answers(path) == []


HOSTILE = {
    "truncated": (b'{"image_id": 1, "caption": "A dog."}\n{"image_id": 2, "cap', "line 2: no valid JSON"),
    "truncated list": (b'[{"image_id": 1, "caption": "A dog."}, {"image_id"', "no valid JSON"),
    "no object": (b'"A dog."\n', "line 1: a JSON object is needed"),
    "no image": (b'{"caption": "A dog."}\n', "line 1: which image is it?"),
    "two images": (
        b'{"image_id": 0, "image": "COCO_val2014_000000000042.jpg", "caption": "A dog."}\n',
        "line 1: 'image_id' says image 0 and 'image' says image 42",
    ),
    "an object over lines": (b'{\n "image_id": 1\n}\n', "line 1: an object over several lines; write one object a line, or one list"),
    "no text": (b'{"image_id": 1, "capton": "A dog."}\n', "line 1: what was said? One of prediction, caption, response"),
    "text is null": (b'{"image_id": 1, "caption": null}\n', "'caption' must be a text; it is null"),
    "text is a list": (b'{"image_id": 1, "caption": ["A dog."]}\n', "'caption' must be a text; it is a list"),
    "NaN": (b'{"image_id": NaN, "caption": "A dog."}\n', "line 1: NaN is no number"),
    "infinity": (b'{"image_id": -Infinity, "caption": "A dog."}\n', "-Infinity is no number"),
    "negative": (b'{"image_id": -1, "caption": "A dog."}\n', "'image_id' must be a whole number from 0 on"),
    "fraction": (b'{"image_id": 1.5, "caption": "A dog."}\n', "'image_id' must be a whole number from 0 on"),
    "true": (b'{"image_id": true, "caption": "A dog."}\n', "'image_id' must be a whole number from 0 on"),
    "too large": (b'{"image_id": 1e999, "caption": "A dog."}\n', "'image_id' must be a whole number from 0 on"),
    "a negative text": (b'{"image_id": "-5", "caption": "A dog."}\n', "'image_id' must be a whole number from 0 on"),
    "a fraction as text": (b'{"image_id": "1.5", "caption": "A dog."}\n', "'image_id' must be a whole number from 0 on"),
    "more digits than an id has": (b'{"image_id": "' + b"7" * 30 + b'", "caption": "A dog."}\n', "'image_id' must be a whole number"),
    "a huge number": (b'{"image_id": ' + b"7" * 30 + b', "caption": "A dog."}\n', "of at most 18 digits"),
    "a field twice": (b'{"image_id": 1, "caption": "A dog.", "image_id": 2}\n', "line 1: 'image_id' stands there twice"),
    "compressed": (gzip.compress(b'{"image_id": 1, "caption": "A dog."}\n'), "this file is compressed"),
    "no digits": (b'{"image": "dog.jpg", "caption": "A dog."}\n', "'image' must be a whole number from 0 on"),
    "no UTF-8": (b'{"image_id": 1, "caption": "A d\xffg."}\n', "line 1: no UTF-8 (byte 31)"),
    "UTF-16": ('{"image_id": 1, "caption": "A dog."}'.encode("utf-16"), "no UTF-8"),
    "nested": (b"[" * 100_000, "nested too deeply"),
    "nested in a line": (b'{"a":' + b"[" * 100_000 + b"\n", "nested too deeply"),
    "binary": (b"\x00\x01\x02\x03", "line 1: no valid JSON"),
    "ten megabytes": (b'{"image_id": 1, "caption": "' + b"a dog " * 1_700_000 + b'"}\n', "has 10,200,000 characters, at most 100,000"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_told_in_one_line_and_nothing_is_lost(capsys, tmp_path, name):
    content, told = HOSTILE[name]
    path, out = tmp_path / "said.jsonl", tmp_path / "out.json"
    path.write_bytes(content)
    out.write_text("what was here before")
    line = refused(capsys, "chair", "--captions", path, "--annotations", tmp_path, "--json", out)
    assert told in line
    assert str(path) in line
    assert out.read_text() == "what was here before"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["out.json", "said.jsonl"]


def test_paths_that_cannot_be_used_are_told_in_one_line(capsys, tmp_path):
    said = write_captions(tmp_path / "said.jsonl")
    assert "there is no such file" in refused(capsys, "chair", "--captions", tmp_path / "absent.jsonl", "--annotations", tmp_path)
    assert "holds no file of captions" in refused(capsys, "chair", "--captions", tmp_path, "--annotations", tmp_path)
    assert "this is a folder; name a file in it" in refused(
        capsys, "chair", "--captions", said, "--annotations", tmp_path, "--json", tmp_path
    )
    os.mkfifo(tmp_path / "pipe")
    assert "this is a pipe or a device" in refused(capsys, "chair", "--captions", tmp_path / "pipe", "--annotations", tmp_path)
    assert "pipe or a device, which would be replaced" in refused(
        capsys, "chair", "--captions", said, "--annotations", tmp_path, "--json", tmp_path / "pipe"
    )
    below = said / "out.json"
    assert "a file stands where a folder is needed" in refused(capsys, "chair", "--captions", said, "--annotations", said, "--json", below)
    assert "No such file" not in refused(capsys, "chair", "--captions", said, "--annotations", tmp_path / "absent")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Expected one of {chair, pope, opope, amber, halbench}"),
        (("chiar",), "chiar"),
        (("chair",), "--captions"),
        (("chair", "--captions", "a", "--annotations", "b", "--level", "1"), "ChairScoring.level must lie in (0, 1); got 1.0"),
        (("chair", "--captions", "a", "--annotations", "b", "--level", "nan"), "ChairScoring.level must lie in (0, 1); got nan"),
        (("chair", "--captions", "a", "--annotations", "b", "--seed", "-1"), "ChairScoring.seed must be 0 or more; got -1"),
        (("chair", "--captions", "a", "--annotations", "b", "--mode", "precise"), "precise"),
    ],
)
def test_options_that_do_not_parse_are_told_in_one_line(capsys, words, told):
    assert told in refused(capsys, *words)


def test_help_names_the_benchmarks(capsys):
    ended = score(capsys, "--help")
    assert ended.status == 0
    for name in ("chair", "pope", "opope", "amber", "halbench"):
        assert name in ended.out


def test_images_with_more_than_one_caption_are_told(tmp_path):
    answers = [Answer(1, "A dog."), Answer(2, "A cat."), Answer(1, "A dog."), Answer(2, "Two cats."), Answer(3, "")]
    with pytest.warns(
        Notice, match=r"2 images with more than one caption, each of which counts; 1 line repeats an earlier one word for word"
    ):
        tell_of_repeats(tmp_path / "said.jsonl", answers)
    tell_of_repeats(tmp_path / "said.jsonl", answers[:2])  # warnings are errors here


def test_where_names_the_item_of_a_list(tmp_path):
    path = tmp_path / "said.json"
    path.write_text(json.dumps([{"image_id": 1, "caption": "A dog."}, {"image_id": 2}]))
    with pytest.raises(BadInput, match=r"said\.json, item 2: what was said\?"):
        read_answers(path)


def test_captions_that_are_all_the_same_text_are_told(tmp_path):
    asked = [Answer(i, "Please describe this image in detail.") for i in range(3)]
    with pytest.warns(Notice, match=r"all 3 captions are the same text \('Please describe .*'\); is this a file of questions\?"):
        tell_of_repeats(tmp_path / "said.jsonl", asked)
    tell_of_repeats(tmp_path / "said.jsonl", [*asked, Answer(3, "A dog.")])  # warnings are errors here


def test_files_about_different_images_are_not_compared(capsys, tmp_path, options):
    here, other = write_captions(tmp_path / "here.jsonl", {1: "A dog."}), write_captions(tmp_path / "other.jsonl", {2: "A train."})
    line = refused(capsys, "chair", "--captions", here, "--against", other, *options)
    assert f"{other}: has no answer about what {here} has answers about" in line
