"""How the command ends: refused before the work, interrupted, or done without a file of annotations; nothing is lost."""

import os
import signal

import pytest

from analysis.datasets.emoji import emoji_coco
from analysis.score.halbench import HalBenchScoring
from analysis.words.readers import Bundled
from probes.command.cli import BadInput
from tests.analysis.score.door import refused, score, strictly, write_captions, write_lines


def test_a_service_that_names_objects_keeps_its_replies_beside_the_results(tmp_path):
    common = {
        "captions": write_captions(tmp_path / "said.jsonl"),
        "annotations": tmp_path,
        "extractor": "http://localhost:1/v1",
        "model": "m",
    }
    asked = HalBenchScoring(**common, json=tmp_path / "out.json").named_by(Bundled())
    assert (asked.url, asked.model, asked.kept) == ("http://localhost:1/v1", "m", tmp_path / "out.json.extracted.jsonl")
    assert HalBenchScoring(**common, extracted=tmp_path / "kept.jsonl").named_by(Bundled()).kept == tmp_path / "kept.jsonl"
    with pytest.raises(ValueError, match="both --extractor and --model"):
        HalBenchScoring(**(common | {"model": ""}))
    with pytest.raises(ValueError, match="extracted must not be the file that is scored"):
        HalBenchScoring(**common, extracted=tmp_path / "." / "said.jsonl")


def test_a_service_is_told_what_was_asked(tmp_path):
    rows = [
        {"image_id": 1, "question": "What is here?", "answer": "A dog and a cat."},
        {"image_id": 2, "prompt": "Tell me.", "answer": "A train at a station."},
        {"image_id": 3, "question": None, "answer": "Two dogs beside a bench."},
    ]
    said = write_lines(tmp_path / "said.jsonl", rows)
    common = {"captions": said, "annotations": tmp_path, "extractor": "http://localhost:1/v1", "model": "m"}
    assert HalBenchScoring(**common).named_by(Bundled()).questions == {1: "What is here?", 2: "Tell me."}
    other = write_lines(tmp_path / "other.jsonl", [rows[0] | {"question": "What else?"}])
    with pytest.raises(BadInput, match=r"other.jsonl, line 1: image 1 was asked another question before"):
        HalBenchScoring(**common, against=other).named_by(Bundled())


def test_a_results_file_that_may_not_be_written_costs_no_work(capsys, tmp_path, options):
    said = write_captions(tmp_path / "said.jsonl")
    (tmp_path / "file").write_text("")
    line = refused(capsys, "chair", "--captions", said, *options, "--json", tmp_path / "file" / "out.json")
    assert "a file stands where a folder is needed" in line
    assert not (tmp_path / "cache").exists()


def test_the_bundled_subject_s_scenes_need_no_files(capsys, tmp_path):
    drawn = emoji_coco(4)
    said = write_captions(tmp_path / "said.jsonl", {i: captions[0] for i, captions in drawn.captions(drawn.ids()).items()})
    for benchmark in ("chair", "halbench"):
        command = (benchmark, "--captions", said, "--annotations", "emoji", "--mode", "bundled", "--json", tmp_path / "out.json")
        assert score(capsys, *command).status == 0
        found = strictly(tmp_path / "out.json")
        # the short caption of a scene names all that is there and nothing else
        assert found["metrics"]["recall"] == 1
        assert found["metrics"]["chair_s"] == 0
    stranger = write_captions(tmp_path / "stranger.jsonl", {10**17: "A dog."})
    assert str(10**17) in refused(capsys, "chair", "--captions", stranger, *command[3:])


def test_the_captions_are_not_written_over(capsys, tmp_path, options):
    said = write_captions(tmp_path / "said.jsonl")
    before = said.read_bytes()
    assert "must not be the file that is scored" in refused(capsys, "chair", "--captions", said, *options, "--json", said)
    assert said.read_bytes() == before


def test_an_interrupt_leaves_the_file_that_was_there(capsys, monkeypatch, tmp_path, coco):
    said, out, calls, usual = tmp_path / "said.jsonl", tmp_path / "out.json", [], Bundled.words
    write_lines(said, ({"image_id": 1 + i % 8, "caption": f"A dog and a cat, {i}."} for i in range(100)))
    out.write_text("what was here before")

    def interrupted(self, caption):
        calls.append(1)
        if len(calls) == 30:  # in the midst of its captions, as from a terminal
            os.kill(os.getpid(), signal.SIGINT)
        return usual(self, caption)

    monkeypatch.setattr(Bundled, "words", interrupted)
    options = ("--captions", said, "--annotations", coco, "--cache", tmp_path / "cache", "--mode", "bundled", "--json", out)
    ended = score(capsys, "chair", *options)
    assert (ended.status, ended.out) == (130, "")
    assert len(calls) == 30
    assert ended.notices[-1].endswith("interrupted; what it had not written is lost, the same command begins anew.")
    assert "Traceback" not in ended.err
    assert out.read_text() == "what was here before"
    assert not list(tmp_path.glob(".*tmp*"))
