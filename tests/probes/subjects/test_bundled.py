"""The subjects that the project brings."""

import pytest

from probes.command.cli import BadInput
from probes.subjects.bundled import BUNDLED, bundled, own_scenes
from probes.subjects.loading import load_subject
from probes.subjects.smollm2.delta import header
from probes.subjects.smollm2.loading import WEIGHTS, delta_file, points, revision


@pytest.mark.parametrize("name", sorted(BUNDLED))
def test_each_has_scenes_of_its_own_size_and_words_for_their_objects(name):
    own = bundled(name)
    assert own.name == name
    (drawn,) = own.scenes(1)
    assert drawn.image.size == (own.side, own.side)
    assert drawn.names <= set(own.forms())
    assert (own.folder is None) == (own.load is not None) == (own.revision is not None) == (own.processor is not None)


def test_both_see_the_same_test_scenes():
    small, large = own_scenes("emoji", 20), own_scenes("smollm2", 20)
    assert [scene.image_id for scene in small] == [scene.image_id for scene in large]
    assert [sorted(scene.names) for scene in small][:5] == [sorted(scene.names) for scene in large][:5]


def test_a_point_of_training_belongs_to_the_subject_that_has_points():
    assert bundled("smollm2@early").name == "smollm2"
    assert bundled("emoji@early") is None
    assert bundled("some/model") is None


def test_a_point_that_is_not_shipped_is_one_line():
    with pytest.raises(BadInput, match="smollm2@nowhere: no such point of training is shipped; there are:"):
        load_subject("smollm2@nowhere")


def test_a_file_of_the_training_is_a_point_too():
    early = WEIGHTS / "early.safetensors"
    assert delta_file(f"smollm2@{early}") == early
    assert revision(f"smollm2@{early}") == revision("smollm2@early") != revision("smollm2")
    assert bundled(f"smollm2@{early}").name == "smollm2"


def test_two_points_of_training_are_shipped_and_all_weights_stay_below_24_megabytes():
    assert points() == ("last", "early")
    assert [int(header(delta_file(f"smollm2@{point}"))["scenes"]) for point in points()] == [5000, 500]
    assert sum(path.stat().st_size for path in WEIGHTS.parents[1].rglob("*.safetensors")) < 24e6


def test_another_subject_brings_no_scenes():
    with pytest.raises(BadInput, match="brings no images"):
        own_scenes("some/model", 3)
