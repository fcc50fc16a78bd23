"""`python -m probes.record`: bad input is one line and status 2; killed or interrupted runs go on where they were."""

import inspect
import json
import os
import resource
import shutil
import signal
from pathlib import Path

import pytest
import xarray as xr
from transformers import LlamaConfig, LlamaForCausalLM, LlavaProcessor

from analysis.drift.__main__ import DriftConfig
from probes import DEFAULT_BATCH
from probes.command.cli import run_cli
from probes.record import RecordConfig, main
from probes.recorders import RECORDERS, SHARED_RECORDERS
from probes.recordings.recording import read_folder
from probes.regimes import record_inputs
from probes.session import record
from tests.probes.recording_process import BRAKED, Other
from tests.processes import until

ROOT = Path(__file__).parents[2]


def words(*extra, subject="emoji", images=None, out="out", tokens=3):
    folder = [] if images is None else ["--image-folder", str(images)]
    return ["--subject", str(subject), *folder, "--out", str(out), "--batch-size", "2", "--max-new-tokens", str(tokens), *extra]


def run(argv):
    with pytest.raises(SystemExit) as left:
        run_cli(RecordConfig, main, argv)
    return left.value.code


@pytest.mark.slow
def test_images_are_recorded_in_both_arms(subject_folder, image_folder, tmp_path):
    assert run(words("--images", "2", subject=subject_folder, images=image_folder, out=tmp_path)) == 0
    recording = read_folder(tmp_path / "free")
    assert recording.sizes["arm"] == 2
    assert recording.image.values.tolist() == [0, 1]
    assert recording.file_name.values.tolist() == [["scene_000.png", "scene_001.png"]] * 2
    assert json.loads(recording.attrs["config"])["arms"]["kvsmooth"]["lambda_ref"] == 0.7
    assert run(words("--images", "2", "--no-smooth", "--regime", "replay", subject=subject_folder, images=image_folder, out=tmp_path)) == 0
    assert read_folder(tmp_path / "replay").arm.values.tolist() == ["baseline"]


def test_what_two_commands_record_into_the_same_folder_agrees_by_default():
    """`python -m probes.record` first and `make figures` then: a folder takes one set of settings."""
    one, other = RecordConfig(), DriftConfig()
    for name in ("subject", "images", "image_folder", "prompt", "lambda_ref", "batch_size", "max_new_tokens", "device", "dtype"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.out == other.recordings
    assert not one.recorders  # none named: those that the questions read
    assert set(SHARED_RECORDERS) == set(RECORDERS) - {"layer_lens"}
    assert one.batch_size == inspect.signature(record).parameters["batch_size"].default == DEFAULT_BATCH


def test_recorders_can_be_chosen(subject_folder, image_folder, tmp_path, capsys):
    given = {"subject": subject_folder, "images": image_folder, "out": tmp_path}
    assert run(words("--images", "1", "--no-smooth", "--recorders", "lens", "entropy", **given)) == 0
    recording = read_folder(tmp_path / "free")
    assert {"object_rank", "row_entropy"} <= set(recording.data_vars)
    assert "mass" not in recording


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (("--recorders", "lens", "other"), "recorders must be of entropy, mass"),
        (("--preset", "gpt"), "--preset gpt: KVSmooth.preset must be"),
    ],
)
def test_a_misspelt_name_is_told_before_a_subject_is_looked_for(tmp_path, capsys, extra, complaint):
    given = {"subject": "no/such-model", "images": tmp_path, "out": tmp_path}
    assert run(words("--images", "1", *extra, **given)) == 2
    assert complaint in capsys.readouterr().err


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory, subject_folder, image_folder):
    """Folders with one thing wrong each; nobody writes into them."""
    tmp_path = tmp_path_factory.mktemp("spoiled")
    (tmp_path / "empty").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"not a picture")
    (tmp_path / "cut").mkdir()
    whole = next(image_folder.iterdir()).read_bytes()
    (tmp_path / "cut" / "7.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "no_config").mkdir()
    (tmp_path / "no_config" / "notes.txt").write_text("-")
    text = LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    LlamaForCausalLM(text).save_pretrained(tmp_path / "text")
    shutil.copytree(subject_folder, tmp_path / "no_processor")
    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / "no_processor" / name).unlink(missing_ok=True)
    shutil.copytree(subject_folder, tmp_path / "torn_weights")
    weights = tmp_path / "torn_weights" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    processor = LlavaProcessor.from_pretrained(subject_folder)
    processor.chat_template = "USER: {{ messages[0]['content'][1]['text'] }} ASSISTANT:"
    shutil.copytree(subject_folder, tmp_path / "no_token")
    processor.save_pretrained(tmp_path / "no_token")
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (dict(images="nowhere"), "nowhere: there is no such folder of images"),
        (dict(images="empty"), "no image in this folder"),
        (dict(images="pictures"), "a.jpg: the image cannot be read (item 0); it is in no format that Pillow knows"),
        (dict(images="cut"), "7.png: the image cannot be read (item 7); it is cut off or damaged"),
        (dict(subject="no/such-model"), "subject no/such-model: neither emoji nor smollm2 nor a folder, and the hub does not give it"),
        (dict(subject="nonsense"), "subject nonsense: neither emoji nor smollm2 nor a folder"),
        (dict(subject="nonsense", images=None), "subject nonsense: it brings no images; give a folder of images (--image-folder)"),
        (dict(subject="./nowhere"), "there is no folder nowhere"),
        (dict(subject="empty"), "the folder is empty"),
        (dict(subject="no_config"), "the folder has no config.json"),
        (dict(subject="text"), "not a model that transformers loads for images and text"),
        (dict(subject="torn_weights"), "the model in"),
        (dict(subject="no_processor"), "processor"),
        (dict(subject="no_token"), "every prompt must come out with the image's token: write it into the prompt"),
        (dict(extra=("--device", "cuda:7")), "device cuda:7 is asked for, but this machine shows"),
        (dict(extra=("--device", "tpu")), "device must be cpu, cuda, cuda:<n> or auto; got tpu"),
        (dict(extra=("--dtype", "int8")), "dtype must be one of float32, bfloat16, float16; got int8"),
        (dict(extra=("--images", "0")), "RecordConfig.images must be a positive integer; got 0"),
        (dict(extra=("--lambda-ref", "1.5")), "RecordConfig.lambda_ref must lie in [0, 1]; got 1.5"),
        (dict(extra=("--seed", "-1")), "RecordConfig.seed must be 0 or more; got -1"),
        (dict(extra=("--temperature", "0")), "RecordConfig.temperature must lie from 1e-06 to 1e+06; got 0.0"),
        (dict(extra=("--temperature", "1e-300")), "RecordConfig.temperature must lie from 1e-06 to 1e+06; got 1e-300"),
        (dict(extra=("--preset", "gpt")), "--preset gpt"),
        (dict(extra=("--regime", "fork")), "fork"),
        (dict(extra=("--prompt", " ")), "Item.prompt must say something"),
        (dict(images=None), "brings no images; give a folder of images (--image-folder)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
def test_bad_input_is_one_line_with_status_2(spoiled, subject_folder, image_folder, capfd, argv, complaint):
    def place(name, usual):
        if name is None:
            return None
        return usual if name == "usual" else name if name in ("no/such-model", "nonsense") else spoiled / name

    images = place(argv.get("images", "usual"), image_folder)
    subject = place(argv.get("subject", "usual"), subject_folder)
    capfd.readouterr()
    assert run(words(*argv.get("extra", ()), subject=subject, images=images, out=spoiled / "out")) == 2
    said = capfd.readouterr().err
    assert complaint in said.replace("./", "").replace(str(spoiled) + "/", "")
    assert "Traceback" not in said
    assert said.count("\n") == 1
    assert not list((spoiled / "out").rglob("*.nc"))


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_no_torn_file(subject_folder, image_folder, tmp_path, capfd):
    argv = words("--images", "2", "--no-smooth", subject=subject_folder, images=image_folder, out=tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # a recording is larger, the settings are not
    try:
        assert run(argv) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert f"File too large ({tmp_path / 'free' / 'baseline' / '0.nc'}); make room, and run the same command again" in said
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["arm.json", "recording.json"]
    assert run(argv) == 0
    assert read_folder(tmp_path / "free").sizes["image"] == 2


def test_a_place_that_cannot_be_a_folder_is_one_line(subject_folder, image_folder, tmp_path, capfd):
    (tmp_path / "file").write_text("in the way")
    assert run(words("--images", "1", subject=subject_folder, images=image_folder, out=tmp_path / "file")) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "a file stands where a folder is needed" in said


@pytest.mark.slow
def test_two_runs_at_once_into_one_folder_end_whole(subject_folder, image_folder, tmp_path, capfd):
    out = tmp_path / "out"
    given = words("--images", "4", subject=subject_folder, images=image_folder, out=out)
    capfd.readouterr()
    with Other(tmp_path / "stderr", out, given) as other:
        until(lambda: list(out.rglob("*.nc")), other)  # it has begun, and has the most before it
        assert run(given) == 0
        assert other.status() == 0, other.log.read_text()
    assert (other.log.read_text(), capfd.readouterr().err) == ("", ""), "progress is for terminals"
    assert read_folder(out / "free").sizes["image"] == 4
    assert len(list(out.rglob("*.nc"))) == 8
    assert not list(out.rglob("*.tmp"))


def content(out):
    """Everything in the recordings but who made them."""
    recording = read_folder(out / "free")
    return recording.drop_attrs(deep=False), {
        name: value for name, value in recording.attrs.items() if name not in ("git_commit", "created_by")
    }


@pytest.mark.slow
def test_killed_and_interrupted_runs_end_as_if_nothing_had_happened(subject_folder, image_folder, tmp_path, capfd, monkeypatch):
    given = {"subject": subject_folder, "images": image_folder, "tokens": 6}
    argv = {name: words("--images", "3", out=tmp_path / name, **given) for name in ("whole", "killed")}
    capfd.readouterr()
    assert run(argv["whole"]) == 0
    assert capfd.readouterr().err == "", "progress is for terminals"

    out = tmp_path / "killed"
    out.mkdir()
    with Other(tmp_path / "stderr", out, argv["killed"], braked=True) as other:
        until((out / "braked").exists, other)
        other.kill()
        assert other.status() == -signal.SIGKILL
    kept = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.rglob("*.nc")}
    assert len(kept) == BRAKED
    assert len(list(out.rglob("*.tmp"))) == 1, "it was in the middle of the fourth"

    passes = []

    def interrupted(*given, **options):
        passes.append(1)
        if len(passes) == 2:  # the first one makes the chunk whole that was cut short
            os.kill(os.getpid(), signal.SIGINT)
        return record_inputs(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr("probes.session.record_inputs", interrupted)
        assert run(argv["killed"]) == 130
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "interrupted; what it has written is kept, the same command goes on from it." in said
    assert len(list(out.rglob("*.nc"))) == 4

    assert run(argv["killed"]) == 0
    for path, state in kept.items():
        assert (path.stat().st_mtime_ns, path.read_bytes()) == state, "a whole file was written again"
    (one, about_one), (other, about_other) = content(tmp_path / "whole"), content(out)
    xr.testing.assert_identical(one, other)
    assert about_one == about_other
    assert not list(out.rglob("*.tmp"))
