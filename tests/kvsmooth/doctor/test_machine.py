"""What the doctor says of a machine is so."""

from importlib.metadata import version

import pytest
from huggingface_hub import constants
from packaging.requirements import Requirement

from kvsmooth.doctor import machine
from kvsmooth.doctor.finding import Finding


def test_packages_in_versions_that_will_do():
    found = list(machine.packages([Requirement("torch>=2"), Requirement("torch>=99"), Requirement("there-is-no-such-package<3")]))
    assert found == [
        Finding("torch", version("torch")),
        Finding("torch", f"{version('torch')} will not do; run `pip install 'torch>=99'`", "broken"),
        Finding("there-is-no-such-package", "not installed; run `pip install 'there-is-no-such-package<3'`", "broken"),
    ]


def test_what_is_needed_is_what_the_package_declares():
    names = {one.name for one in machine.declared()}
    assert names >= {"torch", "transformers"}
    assert not names & {"pytest", "nltk"}, "extras are not needed"


def test_models_have_a_place_that_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "made" / "later"))
    assert machine.cache() == Finding("models", f"{tmp_path}/made/later is made by the first download")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert machine.cache() == Finding("models", f"{tmp_path} can be written")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert machine.cache().told.endswith("; nothing is downloaded, since HF_HUB_OFFLINE is set")
    assert not list(tmp_path.iterdir()), "nothing is left"


def test_a_place_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file"))
    found = machine.cache()
    assert found.state == "broken"
    assert found.told.startswith(f"{tmp_path}/file cannot be written (")
    assert found.told.endswith("; set HF_HOME to a folder that can")


def test_devices(monkeypatch):
    found = {finding.what: finding for finding in machine.devices()}
    assert found["cpu"].state == "ok"
    assert ("cuda:0" in found) != ("cuda" in found)


@pytest.mark.parametrize("package", machine.OPTIONAL)
def test_what_can_be_left_out_is_no_fault(monkeypatch, package):
    monkeypatch.setattr(machine, "installed", lambda name: None if name == package else version("torch"))
    found = {finding.what: finding for finding in machine.machine()}[package]
    assert found.state == "no"
    assert found.told.startswith("not installed; needed for ")
