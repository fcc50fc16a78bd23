"""A folder of images of one's own: which files count, and by which number."""

import os

import pytest
from PIL import Image

from probes.command.cli import BadInput
from probes.subjects import items_in


def put(folder, *names):
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / name, format="png")


def test_images_are_numbered_as_in_coco_or_in_order(tmp_path):
    put(tmp_path, "COCO_val2014_000000000042.png", "COCO_val2014_000000000007.png")
    assert [item.image_id for item in items_in(tmp_path)] == [7, 42]
    put(tmp_path, "cat.png")
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    assert [(item.image_id, item.file) for item in items_in(tmp_path)] == [
        (0, "COCO_val2014_000000000007.png"),
        (1, "COCO_val2014_000000000042.png"),
        (2, "cat.png"),
    ]


@pytest.mark.parametrize("digits", ["9" * 19, "1" * 25, "9" * 200])
def test_a_number_that_no_file_of_results_holds_numbers_none(tmp_path, digits):
    put(tmp_path, f"a{digits}.png", "b5.png")
    assert [item.image_id for item in items_in(tmp_path)] == [0, 1]
    (tmp_path / f"a{digits}.png").rename(tmp_path / "a9223372036854775807.png")
    assert [item.image_id for item in items_in(tmp_path)] == [2**63 - 1, 5]


def test_what_macos_leaves_beside_an_image_is_none(tmp_path):
    put(tmp_path, "A.JPG")
    (tmp_path / "._A.JPG").write_bytes(b"\0\5\26\7" + bytes(60))
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert [item.file for item in items_in(tmp_path)] == ["A.JPG"]


def test_what_is_no_file_is_named_before_any_image_is_opened(tmp_path):
    put(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "x.jpg")
    with pytest.raises(BadInput, match=r"x\.jpg: the image cannot be read; it is a pipe or a device"):
        items_in(tmp_path)
    (tmp_path / "x.jpg").unlink()
    (tmp_path / "x.jpg").mkdir()
    with pytest.raises(BadInput, match=r"x\.jpg: .* it is a folder"):
        items_in(tmp_path)
    (tmp_path / "x.jpg").rmdir()
    (tmp_path / "x.jpg").symlink_to("y.jpg")
    with pytest.raises(BadInput, match=r"x\.jpg: there is no such image"):
        items_in(tmp_path)
