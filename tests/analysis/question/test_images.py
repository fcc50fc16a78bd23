"""Images of one's own and what is in them: numbered as the annotations number them, refused in one line where that cannot be."""

import json

import pytest

from analysis.logits.__main__ import LogitsConfig
from analysis.question.images import shown
from probes.command.cli import BadInput
from tests.analysis.foreign import FILES, OBJECTS, save_annotations, save_images


@pytest.fixture
def own(tmp_path):
    return save_images(tmp_path / "images"), save_annotations(tmp_path / "instances.json")


def of(folder, path, **options):
    return shown(LogitsConfig(subject="mine", image_folder=folder, **options), path)


def test_images_take_the_numbers_and_the_objects_of_the_annotations(own):
    found = of(*own)
    assert {item.image.name: item.image_id for item in found.items} == FILES
    assert found.truth == {number: frozenset(names) for number, names in OBJECTS.items()}
    first = of(*own, images=2)
    assert [item.image.name for item in first.items] == ["a.png", "b.png"]
    assert first.truth.keys() == {31, 917}


def test_a_number_at_the_end_of_a_name_is_enough(tmp_path, own):
    folder, path = own
    content = json.loads(path.read_text())
    for image in content["images"]:
        image["file_name"] = f"COCO_val2014_{image['id']:012d}.jpg"
    path.write_text(json.dumps(content))
    for name, number in FILES.items():
        (folder / name).rename(folder / f"{number}.png")
    assert of(folder, path).truth == {number: frozenset(names) for number, names in OBJECTS.items()}


def test_a_bundled_subject_brings_its_own():
    found = shown(LogitsConfig(images=3), None)
    assert len(found.items) == 3
    assert found.truth.keys() == {item.image_id for item in found.items}
    assert all(found.truth.values())


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c["images"][0].update(file_name="x.png"), r"does not list b\.png \(1 of 4 images\)"),
        (lambda c: c["images"][2].update(id=917), "under the number 917"),
        (lambda c: c["categories"][0].update(name="wombat"), "'wombat' is none of CHAIR's words"),
        (lambda c: c["annotations"][0].update(category_id=77), "has an image or a category that the file does not list"),
        (lambda c: c.pop("images"), r"cannot be read as COCO's instances \(KeyError\)"),
    ],
)
def test_annotations_that_do_not_fit_are_refused(own, change, told):
    folder, path = own
    changed(path, change)
    with pytest.raises(BadInput, match=told):
        of(folder, path)


@pytest.mark.parametrize("content", ["{", "[]", '{"images": []}', '{"images": 1, "annotations": 2, "categories": 3}'])
def test_what_is_no_instances_file_is_refused(own, content):
    folder, path = own
    path.write_text(content)
    with pytest.raises(BadInput, match="cannot be read as COCO's instances"):
        of(folder, path)


def test_one_without_the_other_is_refused_and_says_what_to_give(own):
    folder, path = own
    with pytest.raises(BadInput, match=r"what is in these images is not known; give their objects \(--annotations"):
        of(folder, None)
    with pytest.raises(BadInput, match=r"give the folder of these images too \(--image-folder\)"):
        of(None, path)
    with pytest.raises(BadInput, match=r"subject mine: it brings no images; give a folder \(--image-folder\) and their objects"):
        of(None, None)
    with pytest.raises(BadInput, match=r"No such file"):
        of(folder, path.with_name("nowhere.json"))
