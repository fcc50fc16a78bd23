"""The subjects that the project brings."""

import shutil

import pytest

from probes.command.cli import BadInput
from probes.subjects.bundled import BUNDLED, bundled, own_scenes
from probes.subjects.emoji import WEIGHTS as EMOJI
from probes.subjects.loading import load_subject, revision_of
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


def test_another_training_of_a_subject_stands_behind_its_name(tmp_path):
    assert bundled("smollm2@early").name == "smollm2"
    assert bundled("some/model") is None
    (tmp_path / "weights").mkdir()
    trained = bundled(f"emoji@{tmp_path}")
    assert (trained.name, trained.folder) == ("emoji", tmp_path / "weights")
    assert bundled(f"emoji@{tmp_path / 'weights'}").folder == tmp_path / "weights"
    assert bundled("emoji@last").folder == bundled("emoji").folder == EMOJI
    with pytest.raises(BadInput, match="there is no folder early; give emoji, or emoji@FOLDER, the folder that its training wrote"):
        load_subject("emoji@early")


def test_a_subject_from_another_folder_has_its_captions_words_and_its_own_revision(tmp_path):
    shutil.copytree(EMOJI, tmp_path / "weights")
    same = load_subject(f"emoji@{tmp_path}")
    assert same.revision == revision_of("emoji")
    assert same.name == f"emoji@{tmp_path}"
    settings = tmp_path / "weights" / "generation_config.json"
    settings.write_text(settings.read_text() + "\n")
    assert revision_of(f"emoji@{tmp_path}") != revision_of("emoji")
    assert own_scenes(f"emoji@{tmp_path}", 1)[0].image_id == own_scenes("emoji", 1)[0].image_id


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
