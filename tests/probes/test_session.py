"""Recording items: labels, resuming, replay of recorded captions, and what is refused."""

import json
import shutil

import numpy as np
import pytest
import torch
import xarray as xr
from transformers import GenerationConfig

from kvsmooth import KVSmooth, Unsupported
from probes import record
from probes.chunk import Chunk
from probes.command.cli import BadInput, Notice
from probes.recordings.recording import read, read_folder
from probes.session import Session
from probes.subjects import Item

ARMS = {"baseline": None, "kvsmooth": KVSmooth(lambda_ref=0.9)}
OPTIONS = {"batch_size": 2, "max_new_tokens": 4, "progress": False}


@pytest.fixture(scope="module")
def items(items):
    """A batch of two and one of what is left."""
    return items[:3]


@pytest.fixture(scope="module")
def free(subject, items, tmp_path_factory):
    """A folder with a free recording of all items, and that recording."""
    out = tmp_path_factory.mktemp("recordings")
    return out, record(subject, items, ARMS, out=out, **OPTIONS)


def files(folder):
    return {path.relative_to(folder): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.nc")}


def test_both_doors_are_the_same_function(subject):
    import probes
    import probes.record as module

    assert callable(probes.record)
    assert callable(module)
    with pytest.raises(BadInput, match="items must hold at least one image"):
        module(subject, [])


@pytest.mark.slow
def test_a_recording_says_what_was_said(free, subject, items):
    _, recording = free
    assert recording.sizes == {"arm": 2, "image": 3, "step": 4, "layer": 12, "head": 4, "group": 6, "channels": 2}
    assert recording.arm.values.tolist() == list(ARMS)
    assert recording.image.values.tolist() == [0, 1, 2]
    one = recording.sel(arm="baseline", image=2)
    inputs = subject.encode([items[2]])
    plain = subject.model.generate(**inputs, max_new_tokens=4)[0, inputs["input_ids"].shape[1] :]
    assert one.token_predicted.values.tolist() == plain.tolist()
    assert one.token_fed.values.tolist() == [int(inputs["input_ids"][0, -1]), *plain[:-1].tolist()]
    assert one.piece_predicted.values.tolist() == subject.tokenizer.convert_ids_to_tokens(plain.tolist())
    assert one.position_fed.values.tolist() == list(range(inputs["input_ids"].shape[1] - 1, inputs["input_ids"].shape[1] + 3))
    assert one.caption.item() == subject.tokenizer.decode(plain, skip_special_tokens=True).strip()
    assert int(one.n_steps) == 4
    assert one.n_keys.values[:, 0].tolist() == [inputs["input_ids"].shape[1] + step for step in range(4)]
    assert np.isnan(one.rate).all()
    band = list(range(3, 11))
    smoothed = recording.rate.sel(arm="kvsmooth")
    assert smoothed.sel(step=slice(1, None), layer=band).notnull().all()
    assert smoothed.sel(step=0).isnull().all()
    assert smoothed.drop_sel(layer=band).isnull().all()


def test_provenance_lies_in_every_file(free, subject):
    out, recording = free
    attributes = read(out / "free" / "kvsmooth" / "0.nc").attrs
    config = json.loads(attributes["config"])
    assert config["arms"]["kvsmooth"]["lambda_ref"] == 0.9
    assert config["batch_size"] == 2
    assert attributes["regime"] == "free"
    assert attributes["model_revision"] == subject.revision
    assert attributes["model_revision"].startswith("sha256:")
    assert json.loads(recording.attrs["config"])["arms"].keys() == ARMS.keys()
    assert "rule" in json.loads(recording.attrs["sink_channels"])


def test_a_second_run_does_not_touch_the_model(free, subject, items, monkeypatch):
    out, recording = free
    before = files(out)
    monkeypatch.setattr("probes.session.record_inputs", None)
    xr.testing.assert_identical(record(subject, items, ARMS, out=out, **OPTIONS), recording)
    assert files(out) == before


@pytest.mark.slow
def test_a_run_that_was_cut_short_ends_as_if_it_had_not_been(free, subject, items, tmp_path, monkeypatch, logged):
    out, recording = free
    shutil.copytree(out, tmp_path / "r")
    folder = tmp_path / "r" / "free"
    (folder / "baseline" / "2.nc").unlink()
    (folder / "kvsmooth" / "1.nc").write_bytes((folder / "kvsmooth" / "1.nc").read_bytes()[:500])
    before = files(folder)
    xr.testing.assert_identical(record(subject, items, ARMS, out=tmp_path / "r", **OPTIONS), recording)
    assert [message for message in logged if "torn" in message] == [
        f"{folder / 'kvsmooth' / '1.nc'} is torn: it is cut off or damaged, and has to be recorded again."
    ]
    after = files(folder)
    redone = {path.as_posix() for path in after if after[path] != before.get(path)}
    assert redone == {"baseline/2.nc", "kvsmooth/1.nc"}
    assert {path: content for path, (_, content) in after.items()} == {p: c for p, (_, c) in files(out / "free").items()}


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_finished(free, subject, items, tmp_path, monkeypatch):
    from probes import session

    count, real = [], session.record_inputs

    def interrupted(*args, **kwargs):
        count.append(1)
        if len(count) == 4:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(session, "record_inputs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        record(subject, items, ARMS, out=tmp_path, **OPTIONS)
    assert len(list(tmp_path.rglob("*.nc"))) == 4
    monkeypatch.setattr(session, "record_inputs", real)
    xr.testing.assert_identical(record(subject, items, ARMS, out=tmp_path, **OPTIONS), free[1])


@pytest.mark.slow
def test_more_images_can_be_added_and_keep_what_is_there(free, subject, items, tmp_path):
    record(subject, items[:2], ARMS, out=tmp_path, **OPTIONS)
    before = files(tmp_path)
    xr.testing.assert_equal(record(subject, items, ARMS, out=tmp_path, **OPTIONS), free[1])
    assert before.items() <= files(tmp_path).items()


def test_an_arm_can_be_added_and_leaves_the_others_alone(subject, items, tmp_path):
    options = {**OPTIONS, "max_new_tokens": 2, "recorders": ("entropy", "smoothing")}
    record(subject, items[:1], {"baseline": None}, out=tmp_path, **options)
    before = files(tmp_path)
    record(subject, items[:1], {"slow": KVSmooth(lambda_ref=0.5)}, out=tmp_path, **options)
    assert before.items() <= files(tmp_path).items()
    both = read_folder(tmp_path / "free")
    assert both.arm.values.tolist() == ["baseline", "slow"]
    assert json.loads(both.attrs["config"])["arms"]["slow"]["lambda_ref"] == 0.5


@pytest.mark.slow
def test_replay_uses_the_recorded_captions_and_feeds_them_to_every_arm(free, subject, items, tmp_path, monkeypatch):
    out, recording = free
    shutil.copytree(out, tmp_path / "r")
    monkeypatch.setattr("probes.chunk.free_captions", None)
    replay = record(subject, items, ARMS, "replay", out=tmp_path / "r", **OPTIONS)
    for arm in ARMS:
        xr.testing.assert_equal(replay.token_predicted.sel(arm=arm, drop=True), recording.token_predicted.sel(arm="baseline", drop=True))
    xr.testing.assert_equal(replay.sel(arm="baseline"), recording.sel(arm="baseline"))
    assert read_folder(tmp_path / "r" / "replay").identical(replay)


@pytest.mark.slow
def test_replay_without_a_recording_asks_the_model_first(free, subject, items):
    replay = record(subject, items[:2], {"baseline": None}, "replay", **OPTIONS)
    xr.testing.assert_equal(replay.sel(arm="baseline"), free[1].sel(arm="baseline", image=[0, 1]))


def test_given_captions_are_replayed(subject, items):
    replay = record(subject, items[:2], {"baseline": None}, "replay", captions={0: "A cat.", 1: [9, 8]}, **OPTIONS)
    first, second = replay.token_predicted.sel(arm="baseline").values
    assert replay.caption.sel(arm="baseline", image=0).item() == "A cat."
    assert first[-1] == subject.tokenizer.eos_token_id
    assert second.tolist()[:2] == [9, 8]
    assert (second[2:] == -1).all()
    assert replay.n_steps.sel(arm="baseline").values.tolist() == [len(first), 2]


@pytest.mark.slow
def test_sampling_depends_on_the_seed_alone(subject, items, tmp_path):
    draw = {"generate": {"do_sample": True}, "recorders": ("entropy",), **OPTIONS}
    whole = record(subject, items, out=tmp_path, seed=5, **draw)
    (tmp_path / "free" / "baseline" / "2.nc").unlink()
    xr.testing.assert_identical(record(subject, items, out=tmp_path, seed=5, **draw), whole)
    assert not record(subject, items, seed=6, **draw).token_predicted.equals(whole.token_predicted)


def test_every_seed_and_chunk_has_its_own_stream(subject):
    def drawn(seed, start):
        with Chunk(subject, [], start, 16).seeded(seed):
            return torch.rand(4).tolist()

    pairs = [(seed, start) for seed in (0, 1, 16, 32) for start in (0, 1, 16, 32)]
    assert len({tuple(drawn(*pair)) for pair in pairs}) == len(pairs)
    before = torch.get_rng_state()
    assert drawn(0, 16) == drawn(0, 16)
    assert torch.equal(torch.get_rng_state(), before)


def test_recordings_of_another_commit_are_reused_and_said_to_be(free, subject, items, tmp_path, monkeypatch):
    out, recording = free
    shutil.copytree(out, tmp_path / "r")
    (tmp_path / "r" / "free" / "baseline" / "2.nc").unlink()
    monkeypatch.setattr("probes.session.git_commit", lambda: "c" * 40)
    with pytest.warns(Notice, match="remove the folder to record them anew") as said:
        again = record(subject, items, ARMS, out=tmp_path / "r", **OPTIONS)
    assert len(said) == 1
    line = str(said[0].message)
    assert line.startswith(f"5 recordings in {tmp_path / 'r' / 'free'} are of another commit of the code ({recording.git_commit[:7]}")
    assert f"this is {'c' * 10})" in line
    assert "\n" not in line
    assert again.drop_attrs(deep=False).identical(recording.drop_attrs(deep=False))


def test_other_settings_do_not_go_into_the_same_folder(free, subject, items, tmp_path):
    out, _ = free
    before = files(out)
    for changed, complaint in [
        ({"batch_size": 3}, "batch_size = 2, not 3"),
        ({"max_new_tokens": 5}, "max_new_tokens = 4, not 5"),
        ({"arms": {"kvsmooth": KVSmooth(lambda_ref=0.5)}}, "options = "),
        ({"items": [Item(0, items[1].image)]}, "another image or prompt"),
        ({"items": [Item(0, items[0].image, "What is this?")]}, "another image or prompt"),
    ]:
        with pytest.raises(BadInput, match=complaint) as caught:
            record(**{"subject": subject, "items": items, "arms": ARMS, "out": out, **OPTIONS, **changed})
        assert "give another folder" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert files(out) == before


REST = dict.fromkeys(range(1, 3), "A cat.")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"items": []}, "at least one image"),
        ({"items": "twice"}, "different image_ids"),
        ({"regime": "fork"}, "regime must be one of free, replay; got fork"),
        ({"batch_size": 0}, "batch_size must be a positive integer"),
        ({"seed": -1}, "seed must be an integer from 0 on; got -1"),
        ({"max_new_tokens": 0}, "max_new_tokens must be a positive integer"),
        ({"recorders": ("heat",)}, "recorders must be among entropy, mass"),
        ({"captions": {}}, "captions are for the regime replay"),
        ({"captions": {0: "a"}, "regime": "replay"}, "captions must hold every image_id; 1 is missing"),
        ({"captions": {0: "", **REST}, "regime": "replay"}, "captions must hold at least one token; that of image 0 is empty"),
        ({"captions": {0: [], **REST}, "regime": "replay"}, "captions must hold at least one token; that of image 0 is empty"),
        ({"captions": {0: [7, -3], **REST}, "regime": "replay"}, r"a token of a caption must be an integer from 0 on; got -3 \(image 0\)"),
        ({"captions": {0: [7, 9999], **REST}, "regime": "replay"}, r"a token of a caption must be at most \d+; got 9999 \(image 0\)"),
        ({"captions": {0: [7] * 5, **REST}, "regime": "replay"}, "caption of image 0 has 5 tokens and max_new_tokens is 4; raise that"),
        ({"captions": {0: "A cat and a dog.", **REST}, "regime": "replay"}, "caption of image 0 has 7 tokens and max_new_tokens is 4"),
        ({"captions": {0: "A \udcff.", **REST}, "regime": "replay"}, "the caption of image 0 must be UTF-8; it is not at character 3"),
        (
            {"generate": {"do_sample": True, "temperature": 1e-300}},
            r"temperature'\] must lie from 1e-06 to 1e\+06; got 1e-300: for the likel",
        ),
        ({"generate": {"do_sample": True, "temperature": float("nan")}}, "must lie from 1e-06 to"),
        ({"arms": {"../up": None}}, "arm names must be fit for a folder"),
    ],
)
def test_settings_that_cannot_be_are_refused(subject, items, tmp_path, changed, complaint):
    if changed.get("items") == "twice":
        changed = {"items": [items[0], items[0]]}
    with pytest.raises(BadInput, match=complaint):
        record(**{"subject": subject, "items": items, "out": tmp_path, **OPTIONS, **changed})
    assert not list(tmp_path.iterdir())


def test_beams_are_refused_before_anything_is_computed(subject, items, tmp_path):
    with pytest.raises(Unsupported, match="num_beams=2"):
        record(subject, items, out=tmp_path, generate={"num_beams": 2}, **OPTIONS)
    assert not list(tmp_path.iterdir())


def test_an_arm_that_does_not_serve_is_refused_before_those_before_it_are_recorded(subject, items, tmp_path):
    with pytest.raises(Unsupported, match="must lie below 12"):
        record(subject, items, {"baseline": None, "late": KVSmooth(layers=[99])}, out=tmp_path, **OPTIONS)
    assert not list(tmp_path.rglob("*"))


def test_a_whole_generation_configuration_is_refused_before_anything_is_computed(subject, items, tmp_path):
    with pytest.raises(Unsupported, match="one by one"):
        record(subject, items, out=tmp_path, generate={"generation_config": GenerationConfig(num_beams=2)}, **OPTIONS)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_sink_channels_are_those_of_the_first_run_whatever_is_resumed(subject, items, tmp_path):
    session = Session(subject, items, {"baseline": None}, out=tmp_path, batch_size=2, max_new_tokens=2)
    list(session.recordings(progress=False))
    kept = json.loads((tmp_path / "free" / "recording.json").read_text())
    kept["sink_channels"] = [[3]] * 12
    (tmp_path / "free" / "recording.json").write_text(json.dumps(kept))
    (tmp_path / "free" / "baseline" / "2.nc").unlink()
    again = Session(subject, items, {"baseline": None}, out=tmp_path, batch_size=2, max_new_tokens=2)
    assert again.sink_channels == ((3,),) * 12
