"""Scenes: functions of split and index alone, in COCO's format, drawn as they say."""

import hashlib

import numpy as np
import pytest

from analysis.metrics.chair import ground_truth
from probes.subjects.emoji.kinds import KINDS
from probes.subjects.emoji.scenes import SIZE, SPLITS, annotations, scene, scenes
from probes.subjects.emoji.vocabulary import BY_NAME, CATEGORIES


def fingerprint(item) -> str:
    return hashlib.sha256(item.image.tobytes() + item.pixels.tobytes() + repr(item.objects).encode()).hexdigest()


def test_a_scene_depends_on_split_and_index_alone():
    first = [fingerprint(item) for item in scenes(8)]
    assert first == [fingerprint(scene(index)) for index in range(8)]
    assert len(set(first)) == 8


def test_splits_share_no_scene_and_no_identifier():
    drawn = [item for split in SPLITS for item in scenes(30, split)]
    assert len({fingerprint(item) for item in drawn}) == len(drawn)
    assert len({item.image_id for item in drawn}) == len(drawn)


@pytest.mark.parametrize("index", range(0, 40, 4))
def test_objects_are_where_they_say(index):
    drawn = scene(index, "validation")
    assert drawn.image.size == (SIZE, SIZE)
    assert drawn.image.mode == "RGB"
    assert len(drawn.objects) >= 3
    middles = [item.centre[0] for item in drawn.objects]
    assert middles == sorted(middles)
    for number, item in enumerate(drawn.objects, start=1):
        x, y, width, height = item.bbox
        ys, xs = np.nonzero(drawn.pixels == number)
        assert len(xs) == item.area
        assert item.visible >= 0.25
        assert x <= xs.min() <= xs.max() < x + width <= SIZE
        assert y <= ys.min() <= ys.max() < y + height <= SIZE
    assert drawn.pixels.max() == len(drawn.objects)


def test_annotations_have_cocos_schema():
    drawn = scenes(12)
    coco = annotations(drawn)
    assert [image["id"] for image in coco["images"]] == [item.image_id for item in drawn]
    assert len({row["id"] for row in coco["annotations"]}) == len(coco["annotations"]) == sum(len(item.objects) for item in drawn)
    for row in coco["annotations"]:
        assert set(row) == {"id", "image_id", "category_id", "bbox", "area", "iscrowd"}
        assert len(row["bbox"]) == 4
    assert ground_truth(coco) == {item.image_id: item.names for item in drawn}


def test_kinds_name_known_objects():
    assert len(CATEGORIES) >= 60
    assert len({category.coco_id for category in CATEGORIES}) == len(CATEGORIES) == len(BY_NAME)
    assert len(KINDS) >= 12
    for kind in KINDS:
        assert set(kind.main) | set(kind.background) <= set(BY_NAME)
        assert len(kind.main) >= 6


@pytest.mark.parametrize(("index", "split"), [(-1, "test"), (0, "holdout")])
def test_unknown_scenes_are_refused(index, split):
    with pytest.raises(ValueError, match="must be"):
        scene(index, split)
