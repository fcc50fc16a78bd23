"""Committed results are written with the settings that they state; whatever else is asked goes to out/, and says so."""

from pathlib import Path

import pytest

from analysis.benchmark.command import perform
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.destination import placed
from probes.command.cli import BadInput, Notice
from tests.rooms import ROOT

OURS = Path("figures/benchmark")
STATED = {
    "methods": ("baseline", "kvsmooth", "kvsmooth:lambda_ref=0.9", "constant:rate=0.6"),
    "batch_size": 50,
    "mode": "bundled",
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """The committed results, without their answers."""
    for path in (ROOT / OURS).glob("*/benchmark.json"):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        STATED,
        STATED | {"dry_run": True, "workers": 2, "retry": True},
        {"rescore": True, "mode": "bundled"},
        {"rescore": True, "mode": "bundled", "benchmark": "opope"},
        {"rescore": True, "mode": "bundled", "benchmark": "halbench", "batch_size": 50},
        {"rescore": True, "benchmark": "pope"},  # not scored yet, so nothing is stated
        {"redraw": True, "level": 0.9},
    ],
)
def test_what_the_committed_results_state_goes_there(options, checkout):
    config = BenchmarkConfig(**options)
    assert placed(config) == (config, OURS / config.benchmark)


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ({}, "emoji"),
        ({"dry_run": True}, "emoji"),
        ({"images": 8, "max_new_tokens": 60}, "emoji-8"),
        (STATED | {"level": 0.9}, "emoji"),
        (STATED | {"mode": "auto"}, "emoji"),
        (STATED | {"benchmark": "pope"}, "emoji"),
        (STATED | {"plan": OURS / "plan.json"}, "emoji"),
        ({"subject": "owner/model", "images": 3, "out": Path("figures/../figures/benchmark")}, "owner_model-3"),
    ],
)
def test_whatever_else_goes_elsewhere_and_is_told(options, folder, checkout):
    config, trial = BenchmarkConfig(**options), Path("out", folder, "benchmark")
    with pytest.warns(Notice, match=rf"^files go to {trial}; .*figures/benchmark is left to the settings that it states\.$"):
        found, home = placed(config)
    assert (found.out, home) == (trial, trial / config.benchmark)


@pytest.mark.parametrize(
    "other", [{"mode": "auto"}, {"level": 0.9}, {"parser": "opera"}, {"methods": ("baseline", "constant:rate=0.6")}, {"seed": 1}]
)
def test_answers_that_are_scored_otherwise_stay_and_their_scores_go_elsewhere(other, checkout):
    config = BenchmarkConfig(**{"rescore": True, "benchmark": "opope", "mode": "bundled"} | other)
    with pytest.warns(
        Notice, match="scores go to out/emoji/benchmark/opope; figures/benchmark/opope is left to the settings that it states"
    ):
        assert placed(config) == (config, Path("out/emoji/benchmark/opope"))


@pytest.mark.parametrize("look", ["redraw", "rescore"])
def test_what_looks_at_a_run_looks_where_it_wrote(look, checkout):
    found, home = placed(BenchmarkConfig(images=8, **{look: True}))
    assert (found.out, home) == (Path("out/emoji-8/benchmark"), Path("out/emoji-8/benchmark/chair"))


def test_over_damaged_results_nobody_knows_what_may_be_written(checkout):
    (OURS / "chair" / "benchmark.json").write_text("{")
    with pytest.raises(BadInput, match=r"^figures/benchmark/chair/benchmark\.json: cannot be read .*restore it, or give another folder"):
        placed(BenchmarkConfig())


def test_a_folder_of_ones_own_takes_what_one_asks(checkout):
    for out in (Path("runs/first"), Path("figures/new")):
        config = BenchmarkConfig(out=out, images=3)
        assert placed(config) == (config, out / "chair")


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_another_scoring_leaves_the_committed_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few = {"images": 2, "max_new_tokens": 8, "batch_size": 2, "methods": ("baseline",), "mode": "bundled", "fluent": 0}
    perform(BenchmarkConfig(**few))
    before = {path: path.read_bytes() for path in OURS.rglob("*") if path.is_file()}
    assert OURS / "chair" / "table.md" in before
    with pytest.warns(Notice, match="scores go to out/emoji/benchmark/chair"):
        perform(BenchmarkConfig(rescore=True, level=0.9, mode="bundled", fluent=0))
    with pytest.warns(Notice, match="files go to out/emoji-2/benchmark"):
        perform(BenchmarkConfig(**few | {"max_new_tokens": 9}))
    assert {path: path.read_bytes() for path in OURS.rglob("*") if path.is_file()} == before
    assert Path("out/emoji/benchmark/chair/benchmark.json").is_file()
    assert capsys.readouterr().out.endswith("\n-> out/emoji-2/benchmark/chair\n")
