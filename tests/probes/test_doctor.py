"""What probes adds to the doctor: folders are held, and a subject is recorded in earnest."""

import pytest
import torch

from kvsmooth.doctor.model import STEPS, examined
from probes.command.lock import held
from probes.doctor import held_once, subject
from tests import zoo


def test_a_folder_is_held_and_nothing_is_left(tmp_path):
    assert held_once(tmp_path) == "can be written, and is held by one command at a time"
    with held(tmp_path, wait=False):  # a run that is under way is no fault
        assert held_once(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^cannot be written \(.+\); run from one that can\.$"):
        held_once(tmp_path / "file")


@pytest.mark.slow
def test_a_subject_is_recorded(subject_folder):
    found = {finding.what: finding for finding in examined(subject(str(subject_folder)))}
    assert {finding.state for finding in found.values()} == {"ok"}
    assert found["recording"].told.startswith(f"{STEPS} steps in ")
    assert found["recording"].told.endswith("the baseline's tokens are those of plain generate")


@pytest.mark.slow
def test_tokens_that_are_not_those_of_plain_generate(subject_folder):
    """A layer that draws at random: no two runs of it are alike."""
    sick = subject(str(subject_folder))
    torch.manual_seed(0)
    layer = sick.model.get_decoder().layers[0]
    layer.register_forward_hook(lambda module, given, hidden: hidden + 9 * torch.randn_like(hidden))
    (found,) = sick.further()
    assert found.state == "broken"
    assert "are not those of plain generate" in found.told


def test_a_model_without_images_is_left_to_the_method(tmp_path):
    zoo.build("llama")[0].save_pretrained(tmp_path)
    assert subject(str(tmp_path)) is None
