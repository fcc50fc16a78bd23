"""Object HalBench's questions: the names that are read, embedded images, and one line for each way in which they can be wrong."""

import base64
import io
import json
import os
import struct
import zlib

import pytest
from PIL import Image

from analysis.datasets.halbench import read_halbench
from probes.command.cli import BadInput


def encoded(size=(4, 3), kind="PNG") -> str:
    made = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(made, kind)
    return base64.b64encode(made.getvalue()).decode()


def bomb() -> str:
    """A PNG that says it has 10^10 pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunks = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return base64.b64encode(chunks + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))).decode()


def write(path, *lines) -> object:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), encoding="utf-8")
    return path


def test_each_form_of_a_line(tmp_path):
    Image.new("RGB", (5, 5)).save(tmp_path / "c.png")
    lines = [
        {"image_id": 42, "question": "What do you see?", "image": encoded()},
        {"image_id": "43.jpg", "text": "Describe it.", "image": f"data:image/png;base64,{encoded(kind='JPEG')}"},
        {"image_id": "COCO_val2014_000000000044.jpg", "prompt": "Say.", "image_path": "c.png", "more": [1]},
    ]
    found = read_halbench(write(tmp_path / "q.jsonl", *lines))
    assert [(question.image_id, question.text) for question in found] == [(42, "What do you see?"), (43, "Describe it."), (44, "Say.")]
    assert [question.image(tmp_path).size for question in found] == [(4, 3), (4, 3), (5, 5)]
    assert found[0].image().mode == "RGB"
    with pytest.raises(BadInput, match="line 3: image 44 is not in the file; give COCO's folder"):
        found[2].image()


GOOD = {"image_id": 1, "question": "What?"}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "no question in this file"),
        (['{"image_id": 1, "quest'], "line 1: no valid JSON"),
        ([GOOD, GOOD], "line 2: image 1 was there before"),
        ([{"question": "What?"}], "'image_id' must be a whole number from 0 on; it is missing"),
        ([GOOD | {"image_id": "one"}], "'image_id' must be a whole number"),
        (['{"image_id": NaN, "question": "What?"}'], "NaN is no number"),
        ([{"image_id": 1}], "'question' must be a text; it is missing"),
        ([GOOD | {"image": encoded()[:-3] + "?"}], "line 1: 'image' is no base64"),
        ([GOOD | {"image": "AAAA"}], "line 1: the image cannot be read"),
        ([GOOD | {"image": encoded(kind="EPS")}], "line 1: the image cannot be read"),
        ([GOOD | {"image": 7}], "'image' must be base64 of at most"),
        ([GOOD | {"image": bomb()}], "line 1: the image has more than"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, lines, told):
    with pytest.raises(BadInput, match=told) as error:
        read_halbench(write(tmp_path / "q.jsonl", *lines))
    assert "\n" not in str(error.value)


def test_images_that_fail_only_when_they_are_asked_for(tmp_path):
    torn = base64.b64encode(base64.b64decode(encoded((300, 300)))[:200]).decode()
    away = {"image_id": 2, "question": "What?", "image_path": "../q.jsonl"}
    gone = {"image_id": 3, "question": "What?", "image_path": "gone.png"}
    os.mkfifo(tmp_path / "pipe.png")
    waits = {"image_id": 4, "question": "What?", "image_path": "pipe.png"}
    (tmp_path / "circle.png").symlink_to("circle.png")
    circle = {"image_id": 5, "question": "What?", "image_path": "circle.png"}
    found = read_halbench(write(tmp_path / "q.jsonl", GOOD | {"image": torn}, away, gone, waits, circle))
    reasons = ("cut off, damaged", "leads out of this folder", "there is no such image", "it is a pipe or", "leads back to itself")
    for question, told in zip(found, reasons, strict=True):
        with pytest.raises(BadInput, match=told):
            question.image(tmp_path)
