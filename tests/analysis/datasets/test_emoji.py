"""The scenes as an annotation set, and as files in COCO's own form."""

import json

import numpy as np
import pytest
from PIL import Image

from analysis.datasets.emoji import emoji_coco, write_coco
from analysis.metrics.chair import ground_truth
from analysis.words.readers import Bundled
from probes.command.cli import BadInput
from probes.subjects.emoji.scenes import scene, scenes


@pytest.fixture(scope="module")
def held():
    return emoji_coco(12)


def test_the_set_holds_what_is_drawn(held):
    drawn = scenes(12)
    assert held.ids() == sorted(item.image_id for item in drawn)
    for item in drawn:
        assert held.instances([item.image_id]) == {item.image_id: tuple(dict.fromkeys(thing.category for thing in item.objects))}
        assert held.truth([item.image_id], Bundled()) == {item.image_id: item.names}, "the captions name nothing that is not there"
        assert np.array_equal(held.image(item.image_id), item.image)


def test_unknown_ids_are_left_out_and_have_no_file(held):
    assert held.truth([7], Bundled()) == held.instances([7]) == held.captions([7]) == {}
    with pytest.raises(BadInput, match="no scene of this set has the image id 7"):
        held.file_name(7)


def test_the_key_tells_sets_apart_and_not_their_order(held):
    assert emoji_coco(11).key != held.key
    assert emoji_coco(reversed(scenes(12))).key == held.key


@pytest.mark.parametrize("asked", [(3, "holdout"), (-1, "test")])
def test_what_cannot_be_drawn_is_refused(asked):
    with pytest.raises(BadInput, match="emoji_coco takes"):
        emoji_coco(*asked)


def test_files_are_cocos(tmp_path, held):
    folder = write_coco(tmp_path, 12)
    instances = json.loads((folder.annotations / "instances_val2014.json").read_text())
    captions = json.loads((folder.annotations / "captions_val2014.json").read_text())
    people = [(row["image_id"], row["caption"]) for row in captions["annotations"]]
    assert ground_truth(instances, people) == held.truth(held.ids(), Bundled())
    assert [row["file_name"] for row in instances["images"]] == [held.file_name(i) for i in folder.ids]
    assert instances["images"][0]["file_name"] == "COCO_val2014_000200000000.jpg"
    with Image.open(folder.images / instances["images"][0]["file_name"]) as image:
        assert image.format == "JPEG"
        near = np.abs(np.asarray(image, float) - np.asarray(scene(0).image, float)).mean()
    assert near < 8, "the picture is the scene, but for what JPEG loses"


def test_captions_may_be_left_out_and_parts_named(tmp_path):
    folder = write_coco(tmp_path, 1, part="train", captions=False)
    assert [path.name for path in folder.annotations.iterdir()] == ["instances_train2014.json"]
    assert [path.name for path in folder.images.iterdir()] == ["COCO_train2014_000200000000.jpg"]
