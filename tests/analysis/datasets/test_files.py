"""JSON and names of files from outside: what cannot be used is one line that says where."""

import gzip
import json
import os

import pytest

from analysis.datasets.files import LONGEST, inside, json_document, json_lines, json_objects, number_in, number_of, text_of
from probes.command.cli import BadInput

GOOD = b'{"image_id": 1, "caption": "a dog"}\n'
BAD_LINES = {
    "cut off": (GOOD[:-4] + b"\n", "line 3: no valid JSON"),
    "a list": (b"[1]\n", "line 3: a JSON object is needed, this is a list"),
    "a number": (b"1\n", "line 3: a JSON object is needed, this is a number"),
    "null": (b"null\n", "line 3: a JSON object is needed, this is null"),
    "no UTF-8": (b'{"caption": "\xff"}\n', "line 3: no UTF-8"),
    "NaN": (b'{"image_id": NaN}\n', "line 3: NaN is no number"),
    "infinite": (b'{"image_id": -Infinity}\n', "line 3: -Infinity is no number"),
    "two objects": (b"{} {}\n", "line 3: no valid JSON"),
    "deep": (b"[" * 1_000_000 + b"\n", "line 3: no usable JSON, it is nested too deeply"),
    "a field twice": (b'{"image_id": 1, "caption": "a dog", "image_id": 2}\n', "line 3: 'image_id' stands there twice in one object"),
}


def test_lines_are_numbered_and_blank_ones_passed_over(tmp_path):
    path = tmp_path / "captions.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD + b"\n  \r\n" + GOOD.rstrip())
    row = {"image_id": 1, "caption": "a dog"}
    assert list(json_lines(path)) == [(1, row), (4, row)]
    path.write_bytes(b"")
    assert list(json_lines(path)) == []


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_line_that_cannot_be_used_is_told_with_its_number(tmp_path, case):
    content, line = BAD_LINES[case]
    path = tmp_path / "captions.jsonl"
    path.write_bytes(GOOD + b"\n" + content + GOOD)
    with pytest.raises(BadInput, match=line) as caught:
        list(json_lines(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [json_document, lambda path: list(json_lines(path))], ids=["document", "lines"])
def test_a_file_that_is_none_is_told(tmp_path, read):
    with pytest.raises(BadInput, match="this is a folder, a file is needed"):
        read(tmp_path)
    with pytest.raises(BadInput, match="there is no such file"):
        read(tmp_path / "missing")


@pytest.mark.parametrize("read", [json_document, lambda path: list(json_objects(path))], ids=["document", "objects"])
def test_a_file_that_cannot_be_read_twice_or_is_compressed_is_told(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="this is a pipe or a device"):
        read(tmp_path / "pipe")
    (tmp_path / "captions.jsonl.gz").write_bytes(gzip.compress(GOOD))
    with pytest.raises(BadInput, match=r"compressed \(gzip\); unpack it first"):
        read(tmp_path / "captions.jsonl.gz")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("COCO_val2014_000000310196.jpg", 310196),
        ("val/n161313.jpg", 161313),
        ("val2014\\000042.JPEG", 42),
        ("http://images/000042.jpg?width=640", 42),
        ("42.jpg.png", 42),
        ("2354786", 2354786),
        ("a1/b.jpg", None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("nan", None),
        ("1" * 19, None),
        (f"COCO_{'1' * 19}.jpg", None),
    ],
)
def test_the_number_of_an_image_is_that_at_the_end_of_its_name(name, number):
    assert number_in(name) == number


def test_a_document_is_read_whole(tmp_path):
    path = tmp_path / "any.json"
    path.write_text(json.dumps([1, {"a": "ü"}]))
    assert json_document(path) == [1, {"a": "ü"}]
    path.write_text('{"a": 1')
    with pytest.raises(BadInput, match="no valid JSON"):
        json_document(path)


@pytest.mark.parametrize(("value", "number"), [(0, 0), (7, 7), ("000042", 42), (3.0, 3)])
def test_a_number_is_whole_and_not_negative(value, number):
    assert number_of({"id": value}, "id", "here") == number


@pytest.mark.parametrize("value", [-1, 1.5, True, None, "x", "-1", "1.0", "٣", "9" * 19, 10**18, [1], float("inf"), float("nan")], ids=repr)
def test_what_is_no_such_number_is_told(value):
    with pytest.raises(BadInput, match=r"here: 'id' must be a whole number from 0 on(; got| of at most 18 digits; got)"):
        number_of({"id": value}, "id", "here")
    with pytest.raises(BadInput, match="it is missing"):
        number_of({}, "id", "here")


def test_a_text_has_a_length_that_a_caption_may_have():
    assert text_of({"caption": "x" * LONGEST}, "caption", "here") == "x" * LONGEST
    for value, why in (("x" * (LONGEST + 1), "has 100,001 characters"), (3, "it is a number"), (None, "it is null")):
        with pytest.raises(BadInput, match=f"here: 'caption' .*{why}"):
            text_of({"caption": value}, "caption", "here")
    with pytest.raises(BadInput, match="it is missing"):
        text_of({}, "caption", "here")


def test_a_name_stays_in_its_folder(tmp_path):
    (tmp_path / "images").mkdir()
    assert inside(tmp_path / "images", "val2014/a.jpg") == tmp_path / "images" / "val2014" / "a.jpg"
    assert inside(tmp_path / "images", "b/../a.jpg").resolve() == tmp_path / "images" / "a.jpg"


@pytest.mark.parametrize(
    "name", ["", "../a.jpg", "b/../../a.jpg", "/etc/passwd", "a\0.jpg", "link/a.jpg", "\ud800.jpg", "a" * 5000], ids=ascii
)
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    folder = tmp_path / "images"
    folder.mkdir()
    os.symlink(tmp_path, folder / "link")
    os.symlink("circle", folder / "circle")
    assert not inside(folder, "circle/a.jpg").is_file()
    with pytest.raises(BadInput, match="leads out of this folder"):
        inside(folder, name)
