"""The command `analysis.drift`: laws of its options, bad input in one line, and the way from the bundled subject to the figures."""

import json

import pytest

from analysis.drift import __main__ as drift
from analysis.drift.__main__ import DriftConfig
from analysis.question.question import read_results
from probes.command.cli import run_cli
from probes.record import RecordConfig


@pytest.mark.parametrize(
    ("option", "value", "law"),
    [
        ("images", 0, "must be a positive integer; got 0"),
        ("lambda_ref", 1.5, r"must lie in \[0, 1\]"),
        ("level", 1.0, r"must lie in \(0, 1\)"),
        ("seed", -1, "must be 0 or more; got -1"),
    ],
)
def test_options_state_their_law(option, value, law):
    with pytest.raises(ValueError, match=rf"DriftConfig.{option} {law}"):
        DriftConfig(**{option: value})


@pytest.fixture
def bad_inputs(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("not a folder")
    there = tmp_path.as_posix()
    return {
        "no images": (["--images", "0"], "DriftConfig.images must be a positive integer; got 0"),
        "unknown subject": (["--subject", f"{there}/nowhere"], "nowhere"),
        "empty folder": (["--image-folder", f"{there}/empty"], "no image in this folder"),
        "a file as out": (["--out", f"{there}/file"], "a file stands where a folder is needed"),
        "a redraw of nothing": (["--out", there, "--redraw"], "there is no such file to redraw from"),
        "no number": (["--level", "high"], "--level"),
    }


@pytest.mark.filterwarnings("always::probes.command.cli.Notice")
@pytest.mark.parametrize("kind", ["no images", "unknown subject", "empty folder", "a file as out", "a redraw of nothing", "no number"])
def test_bad_input_is_one_line_and_leaves_with_2(kind, bad_inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words, message = bad_inputs[kind]
    with pytest.raises(SystemExit) as left:
        run_cli(DriftConfig, drift.main, words)
    said = capsys.readouterr()
    assert left.value.code == 2
    # a line before it may say where files would have gone
    *before, last = said.err.splitlines()
    assert len(before) <= 1
    assert all("files go to out/" in line for line in before)
    assert message in last
    assert not list(tmp_path.rglob("*.nc"))


def test_a_batch_is_as_large_as_that_of_a_recording():
    assert DriftConfig().batch_size == RecordConfig().batch_size


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples", "halved", "read_shallow")
def test_from_the_bundled_subject_to_the_results(tmp_path, monkeypatch):
    """The figures are drawn by the tests of a redraw, and from a recording by that of the wheel."""
    monkeypatch.setattr("analysis.drift.figures.draw_all", lambda *_: {})
    page = tmp_path / "findings.md"
    page.write_text("<!-- drift -->\n<!-- /drift -->\n")
    options = {"images": 2, "batch_size": 2, "max_new_tokens": 9, "recordings": tmp_path / "recordings", "page": page}
    drift.main(DriftConfig(out=tmp_path / "a", fluent=1, **options))
    found = read_results(tmp_path / "a" / "drift.json")
    assert "| CHAIR_i | " in page.read_text()
    names = {row["name"] for row in found["results"]}
    assert {"free/chair_s/kvsmooth - baseline", "free/broken/kvsmooth - baseline", "replay/entropy/mean/kvsmooth - baseline/band"} <= names
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "recordings").rglob("*.nc")}
    assert len(before) == 2 * 2 * 2
    drift.main(DriftConfig(out=tmp_path / "b", fluent=0, **options))  # nothing is recorded twice, and nothing comes out differently
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "recordings").rglob("*.nc")} == before
    again = read_results(tmp_path / "b" / "drift.json")
    unread = [row for row in found["results"] if row["where"]["quantity"] not in ("nll", "broken")]
    assert json.dumps(again["results"]) == json.dumps(unread)
