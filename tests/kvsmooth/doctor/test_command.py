"""`python -m kvsmooth doctor`: a line for each thing, and an exit status that a script can read."""

import importlib
from importlib.metadata import version

import pytest
from huggingface_hub import constants

from kvsmooth.__main__ import main
from kvsmooth.doctor import rooms
from tests import zoo


def said(capsys, *words):
    status = main(["doctor", *words])
    return status, *capsys.readouterr()


@pytest.fixture
def well(monkeypatch, tmp_path):
    """A folder that can be written, wherever the tests run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("well")
def test_this_machine(capsys):
    status, out, err = said(capsys)
    lines = [line.split(maxsplit=2) for line in out.splitlines() if line.startswith("  ")]
    assert {"ok", "no"} >= {state for state, *_ in lines}
    assert (status, err) == (0, "")
    assert ["ok", "torch", version("torch")] in lines
    assert {"python", "cpu", "models", "nltk"} <= {what for _, what, _ in lines}
    assert "  ok      this folder         can be written, and is held by one command at a time\n" in out
    assert out.endswith("\nNothing is broken.\n")


def test_a_fault_of_the_machine_is_the_exit_status(capsys, monkeypatch, well, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file"))
    status, out, err = said(capsys)
    assert (status, err) == (1, "")
    assert f"  broken  models              {tmp_path}/file cannot be written (" in out
    assert out.endswith("\n1 broken: models\n")


@pytest.mark.usefixtures("well")
def test_a_language_model(capsys, tmp_path):
    zoo.build("llama")[0].save_pretrained(tmp_path / "model")
    status, out, err = said(capsys, f"--model={tmp_path / 'model'}")
    assert (status, err) == (0, "")
    tried = out[out.index(f"\n{tmp_path}/model, given 12 of its tokens\n") :]
    assert "  ok      decoder             LlamaModel, 3 layers, attention sdpa; too few for the default band" in tried
    assert "  ok      rates of zero       leave the logits of 7 tokens as they are, to the bit\n" in tried
    assert "  no      recording           it takes no images\n" in tried


@pytest.mark.parametrize("words", [["--model"], ["--model="], ["--models", "x"], ["x"], ["--model", "x", "y"], ["--model=x", "y"]])
def test_words_that_mean_nothing(capsys, words):
    status, out, err = said(capsys, *words)
    assert (status, out) == (2, "")
    assert err == f"python -m kvsmooth doctor: it takes --model and the name of a model; got {' '.join(words)}.\n"


@pytest.mark.parametrize(("name", "shown"), [("there", "there"), ("th\x1b[2Jere", r"th\x1b[2Jere")])
@pytest.mark.usefixtures("well")
def test_a_model_that_is_not_there(capsys, tmp_path, name, shown):
    (tmp_path / name).mkdir()
    status, _, err = said(capsys, "--model", str(tmp_path / name))
    assert status == 2
    assert err.startswith("python -m kvsmooth doctor: ")
    assert f"{tmp_path}/{shown}" in err
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_help(capsys):
    for word in ("-h", "--help"):
        status, out, _ = said(capsys, word)
        assert status == 0
        assert out.startswith("usage: python -m kvsmooth doctor")


def test_the_method_alone_has_a_doctor_too(monkeypatch):
    monkeypatch.setattr(rooms, "ROOMS", ("there_is_no_such_room.doctor", "kvsmooth.no_such_doctor"))
    assert rooms.rooms() == []
    monkeypatch.undo()
    assert rooms.rooms() == [importlib.import_module(name) for name in ("probes.doctor", "analysis.doctor")]
