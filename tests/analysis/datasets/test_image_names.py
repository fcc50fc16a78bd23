"""Which image a line is about, and the name of its file."""

import pytest

from analysis.datasets.image_names import LONGEST, file_of, image_of
from probes.command.cli import BadInput


@pytest.mark.parametrize(
    ("line", "image_id", "file"),
    [
        ({"image_id": 42}, 42, ""),
        ({"image_id": "42"}, 42, ""),
        ({"image_id": "COCO_val2014_000000000042.jpg"}, 42, "COCO_val2014_000000000042.jpg"),
        ({"image_id": 42, "image": "val2014/COCO_val2014_000000000042.jpg"}, 42, "val2014/COCO_val2014_000000000042.jpg"),
        ({"image": "photos\\kitchen_42.png"}, 42, "photos\\kitchen_42.png"),
        ({"image_id": 42, "file_name": "kitchen.webp"}, 42, "kitchen.webp"),
        ({"id": 0, "image": "000000000042.jpg"}, 42, "000000000042.jpg"),
        ({"image_id": 42, "image": "AAAA/BBBB=="}, 42, ""),
        ({"image_id": 42, "image": "A" * LONGEST + "/7.jpg"}, 42, ""),
        ({"image_id": 42, "image": {"path": "7.jpg"}}, 42, ""),
    ],
)
def test_the_number_and_the_name(line, image_id, file):
    assert image_of(line, "here") == image_id
    assert file_of(line) == file


def test_a_line_of_no_image_is_told_with_its_fields():
    with pytest.raises(BadInput, match=r"^here: which image is it\? One of image_id, id, .* is needed; got 'caption'\.$"):
        image_of({"caption": "A dog."}, "here")
