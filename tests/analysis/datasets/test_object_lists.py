"""Lists of what is in each image: what they answer, and files that are none."""

import pytest

from analysis.datasets.object_lists import open_object_lists
from analysis.words.readers import Bundled
from probes.command.cli import BadInput

LINES = '{"image_id": 7, "objects": ["dog", "man", "dog"]}\n{"image": "val/COCO_val2014_000000000003.jpg", "objects": []}\n'


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "objects.jsonl"
        path.write_text(content)
        return path

    return write


def test_what_the_lists_answer(written):
    held = open_object_lists(written(LINES))
    assert held.ids() == [3, 7]
    assert held.instances([7, 3, 99]) == {7: ("dog", "man"), 3: ()}
    assert held.captions([7, 99]) == {7: ()}
    assert held.truth([3, 7, 99], Bundled()) == {3: frozenset(), 7: {"dog", "person"}}
    assert held.file_name(3) == "val/COCO_val2014_000000000003.jpg"
    with pytest.raises(BadInput, match="names no file for the image 7"):
        held.file_name(7)
    assert held.key != open_object_lists(written(LINES + '{"image_id": 8, "objects": []}\n')).key


def test_a_list_of_lines_says_the_same(written):
    lines = open_object_lists(written(LINES)).objects
    assert open_object_lists(written("[" + ", ".join(LINES.splitlines()) + "]")).objects == lines


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds no list of objects; write lines"),
        ('{"image_id": 1}\n', "line 1: 'objects' must be a list of names"),
        ('{"image_id": 1, "objects": "dog"}\n', "line 1: 'objects' must be a list of names"),
        ('{"image_id": 1, "objects": ["dog", ""]}\n', "line 1: 'objects' must be a list of names"),
        ('{"image_id": 1, "objects": [18]}\n', "line 1: 'objects' must be a list of names"),
        ('{"objects": ["dog"]}\n', "line 1: which image is it"),
        ('{"image_id": 1, "objects": []}\n{"image_id": "1", "objects": []}\n', "line 2: image 1 was there before"),
        ('{"image_id": 1, "objects": ["dog"', "line 1: no valid JSON"),
    ],
)
def test_a_file_that_is_none_is_told(written, content, told):
    with pytest.raises(BadInput, match=told):
        open_object_lists(written(content))


def test_a_name_that_the_table_lacks_is_told_with_its_image(written):
    held = open_object_lists(written('{"image_id": 1, "objects": ["dog"]}\n{"image_id": 2, "objects": ["unicorn"]}\n'))
    assert held.truth([1], Bundled()) == {1: {"dog"}}
    with pytest.raises(BadInput, match=r"objects\.jsonl, image 2: the category 'unicorn' is none of COCO's 80 objects"):
        held.truth([1, 2], Bundled())
