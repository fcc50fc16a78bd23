"""`python -m kvsmooth doctor`: a line for each thing, and an exit status that a script can read."""

import importlib
import warnings
from importlib.metadata import version

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

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
    capsys.readouterr()  # how far it has written, unless another test has silenced that
    status, out, err = said(capsys, f"--model={tmp_path / 'model'}")
    assert (status, err) == (0, "")
    tried = out[out.index(f"\n{tmp_path}/model, given 12 of its tokens\n") :]
    assert "  ok      decoder             LlamaModel, 3 layers, attention sdpa; too few for the default band" in tried
    assert "  ok      rates of zero       leave the logits of 7 tokens as they are, to the bit\n" in tried
    assert "  no      recording           it takes no images\n" in tried


def without_head_and_mlp(weights):
    return {name: values for name, values in weights.items() if "lm_head" not in name and "layers.1.mlp" not in name}


def with_a_nan(weights):
    return {**weights, "model.norm.weight": weights["model.norm.weight"] * float("nan")}


def a_row_short(weights):
    return {**weights, "lm_head.weight": weights["lm_head.weight"][:-1].contiguous()}


@pytest.fixture
def llama(tmp_path):
    zoo.build("llama")[0].save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def rewritten(folder, change):
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_head_and_mlp, "lm_head.weight, model.layers.1.mlp.down_proj.weight, model.layers.1.mlp.gate_proj.weight and 1 more (4 "),
        (with_a_nan, "model.norm.weight has NaN or infinite values; restore the weights."),
        (a_row_short, "lm_head.weight [63, 32] for [64, 32] has another shape in its weights than config.json says"),
    ],
)
@pytest.mark.usefixtures("well")
def test_a_model_that_is_not_in_its_weights(capsys, llama, change, told):
    rewritten(llama, change)
    status, out, err = said(capsys, "--model", str(llama))
    assert status == 2
    assert "Nothing is broken" not in out
    assert err.startswith(f"python -m kvsmooth doctor: {llama} cannot be used: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("above", [rooms.ROOMS, ()], ids=["with the rooms above", "kvsmooth alone"])
@pytest.mark.usefixtures("well")
def test_what_a_user_should_know_is_one_line_and_no_end(capsys, llama, monkeypatch, above):
    monkeypatch.setattr(rooms, "ROOMS", above)
    rewritten(llama, lambda weights: {**weights, "value_head.weight": torch.ones(3)})
    (llama / "config.json").write_text((llama / "config.json").read_text().replace("{", '{"_attn_implementation": "flash_attention_2",', 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as PYTHONWARNINGS=error
        status, out, err = said(capsys, "--model", str(llama))
    assert status == 0
    assert "LlamaModel, 3 layers, attention sdpa" in out
    asked, held = err.splitlines()
    assert asked.startswith(
        f"python -m kvsmooth doctor: subject {llama}: config.json asks for flash_attention_2, whose rows cannot be read"
    )
    assert held.startswith(
        f"python -m kvsmooth doctor: subject {llama}: its weights hold value_head.weight, which the model of config.json"
    )


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
