"""Planted methods through the whole command: each gets its verdict, by files that a redraw makes again; closed logs leave nothing by "
"caption."""

import json

import numpy as np
import pytest

from analysis.omission.line import COUNTS
from analysis.published.__main__ import PublishedConfig, main
from analysis.published.counts import COLUMNS
from analysis.published.data import unpacked
from analysis.published.verdict import BETTER, LESS, MIXTURE, RAISES, REPEATS
from analysis.question.question import by_name
from probes.command.cli import BadInput, Notice
from tests.analysis.published import IMAGES, METHODS, write_world
from tests.analysis.resamples import few
from tests.analysis.sketches import sketches

PLANTED = {"at random": LESS, "late": LESS, "loop": REPEATS, "oracle": BETTER, "both": MIXTURE, "worse": RAISES}

pytestmark = pytest.mark.slow


def config(folder, **more):
    places = {"store": folder / "store", "out": folder / "out", "page": folder / "page.md"}
    return PublishedConfig(**places | {"mode": "bundled", "fluency": 0} | more)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    logs, truth = write_world(folder)
    with few(), sketches():
        main(config(folder, captions=logs, annotations=truth))
    return folder


@pytest.fixture(scope="module")
def found(done):
    return json.loads((done / "out" / "published.json").read_text())


def test_planted_methods_get_their_verdicts(found):
    assert {one["log"]: one["verdict"] for one in found["verdicts"]} == PLANTED
    shares = {one["log"]: one["shares"] for one in found["verdicts"]}
    assert shares["loop"] == {REPEATS: pytest.approx(1)}
    assert shares["oracle"][BETTER] > 0.8
    assert shares["at random"].get(BETTER, 0) < 0.3


def test_omissions_lie_on_their_own_lines_and_the_oracle_beyond_all(found):
    rows = by_name(found["results"])
    for log, line in (("at random", "random sentence"), ("late", "late sentence")):
        low, high = rows[f"{log}/beyond {line}/chair_s"]["interval"]
        assert low < 0 < high
    assert rows["at random/beyond random mention/share"]["estimate"] == pytest.approx(0.6, abs=0.06)
    assert rows["oracle/beyond every line/chair_s"]["estimate"] < -0.2
    assert rows["oracle - greedy/kept_true"]["estimate"] == 1
    assert rows["oracle - greedy/kept_absent"]["estimate"] == pytest.approx(0.2, abs=0.06)
    assert rows["loop - greedy/overlap"]["estimate"] == 1


def test_parts_sum_to_the_change(found):
    rows = by_name(found["results"])
    for log in PLANTED:
        parts = [rows[f"{log} - greedy/{part}/chair_i"]["estimate"] for part in (BETTER, LESS, REPEATS)]
        assert sum(parts) == pytest.approx(rows[f"{log} - greedy/chair_i"]["estimate"], abs=1e-5)
        parts = [rows[f"{log} - greedy/{part}/chair_s"]["estimate"] for part in (BETTER, LESS)]
        assert sum(parts) == pytest.approx(rows[f"{log} - greedy/chair_s"]["estimate"], abs=1e-5)


def test_corrections_run_over_all_logs(found):
    rows = by_name(found["results"])
    row = rows["late - greedy/chair_s"]
    assert (row["role"], row["adjustment"]) == ("primary", "Holm over 10 tests of chair_s and chair_i")  # two leave CHAIR_s as it was
    assert rows["late - greedy/recall"]["adjustment"] == "Holm over 4 tests of recall"  # nor does the recall of two change
    assert rows["late/beyond every line/precision"]["role"] == "exploratory"
    assert np.isnan(rows["late/chair_s"]["p"])
    assert rows["late - greedy/chair_s"]["estimate"] == pytest.approx(
        rows["late/chair_s"]["estimate"] - rows["greedy/chair_s"]["estimate"], abs=1e-5
    )


def test_the_page_tells_verdicts_numbers_and_places(done, found):
    page = (done / "page.md").read_text()
    assert (
        "5 of 6 logs lower CHAIR against their own greedy captions: 1 by seeing better alone (oracle), 2 by saying less alone (at "
        "random; late), 1 by repeating alone (loop)" in page
    )
    assert page.count("\n| Invented-7B | ") == len(METHODS)
    assert "| ours/world | logs/late.jsonl | MIT |" in page
    assert "More captions that loop, by the corrected test: loop (" in page
    assert str(done) not in page
    assert str(done) not in (done / "out" / "published.json").read_text()
    (line,) = [one for one in found["lines"] if one["rule"] == "late" and one["unit"] == "sentence"]
    assert line["sums"][-1][COUNTS.index("captions")] == IMAGES


@pytest.mark.usefixtures("sketched")
def test_a_redraw_needs_no_captions_and_changes_nothing(done):
    before = {path.name: path.read_bytes() for path in (done / "out").iterdir()}
    main(config(done, redraw=True))
    assert {path.name: path.read_bytes() for path in (done / "out").iterdir()} == before
    assert {"plane.svg", "text.svg", "position.svg"} <= set(before)


@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_of_closed_logs_measures_are_kept_and_nothing_by_caption(done, found, tmp_path):
    import xarray as xr

    logs, truth = write_world(tmp_path, ("greedy", "late"), licence="none stated")
    main(config(tmp_path, captions=logs, annotations=truth))
    reduced = xr.load_dataset(tmp_path / "out" / "published.nc", engine="h5netcdf")
    spoken, closed = unpacked(reduced)
    assert (spoken, reduced.sizes["log"], list(closed)) == ({}, 0, ["Invented-7B · ours/world"])
    here = by_name(json.loads((tmp_path / "out" / "published.json").read_text())["results"])
    there = by_name(found["results"])
    for name, row in here.items():
        values = [(side["estimate"], *side["interval"]) for side in (row, there[name])]
        assert values[0] == pytest.approx(values[1], nan_ok=True), name
    opened = unpacked(xr.load_dataset(done / "out" / "published.nc", engine="h5netcdf"))[0]
    assert list(opened) == list(METHODS)
    assert opened["late"].counts[:, COLUMNS.index("captions")].sum() == IMAGES


@pytest.mark.usefixtures("sketched", "few_resamples")
def test_without_a_baseline_logs_are_described(tmp_path):
    logs, truth = write_world(tmp_path, ("late",), images=8)
    main(config(tmp_path, captions=logs, annotations=truth))
    assert json.loads((tmp_path / "out" / "published.json").read_text())["verdicts"] == []
    assert "No log has a greedy log beside it" in (tmp_path / "page.md").read_text()
    assert not (tmp_path / "out" / "plane.svg").exists()


@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_other_captions_than_the_committed_ones_go_elsewhere(tmp_path, monkeypatch):
    logs, truth = write_world(tmp_path, ("late",), images=8)
    monkeypatch.chdir(tmp_path)
    default = PublishedConfig()
    default.out.mkdir(parents=True)
    committed = default.out / "published.json"
    committed.write_text(json.dumps({"provenance": {"data_hash": "0" * 16}}))
    with pytest.warns(Notice, match="tell of other captions"):
        main(PublishedConfig(captions=logs, annotations=truth, mode="bundled", fluency=0))
    assert json.loads(committed.read_text())["provenance"]["data_hash"] == "0" * 16
    assert list((tmp_path / "out").glob("published-*/published/published.json"))


def test_captions_and_annotations_are_asked_for(tmp_path):
    with pytest.raises(BadInput, match="--captions and --annotations are needed"):
        main(config(tmp_path, captions=tmp_path))
