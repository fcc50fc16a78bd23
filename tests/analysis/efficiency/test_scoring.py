"""The cost of scoring: the parts of its command, and the command as a whole at a small size."""

import json
import subprocess
import sys

import pytest

from analysis.efficiency import scoring as score_cost
from analysis.efficiency.scoring import ScoreCostConfig, Spent, bars, spent, table
from probes.command.cli import BadInput


@pytest.mark.slow
def test_a_process_is_told_with_its_own_peak():
    # asked in a small process: a peak begins at its starter's, and this one may hold more than a gigabyte by now
    program = """
import sys
from analysis.efficiency.scoring import spent
for words in ("pass", "x = bytes(600_000_000).replace(b'0', b'1'); y = bytearray(x)"):
    found = spent([sys.executable, "-c", words])
    print(found.seconds, found.memory)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    seconds, small, _, large = map(float, told)
    assert 0 < seconds < 60
    assert small < 6e8 < large


def test_a_process_that_fails_is_told_by_its_last_line():
    with pytest.raises(BadInput, match="failed: out of luck"):
        spent([sys.executable, "-c", "raise SystemExit('first\\nout of luck')"])
    with pytest.raises(BadInput, match="it ended with status 3"):
        spent([sys.executable, "-c", "raise SystemExit(3)"])


def test_bars_are_met_below_them_only():
    told = bars({"bundled": {"cold": 239.9, "warm": 20.0, "memory": 1e9}})
    assert [(row["what"], row["met"]) for row in told] == [("cold", True), ("warm", False), ("memory", True)]


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.5}, {"captions": 0}, {"rounds": 0}])
def test_options_have_laws(wrong):
    with pytest.raises(BadInput, match=f"ScoreCostConfig.{next(iter(wrong))} must be"):
        ScoreCostConfig(**wrong)


def test_every_run_is_measured_and_the_files_are_removed(monkeypatch, tmp_path, capsys):
    asked = []

    def counted(words):
        asked.append(words)
        return Spent(2.0 if words[2] == "analysis.score" else 4.0, 5_000_000)

    monkeypatch.setattr(score_cost, "spent", counted)
    monkeypatch.setattr(score_cost, "_modes", lambda: ["bundled", "exact"])
    score_cost.main(ScoreCostConfig(out=tmp_path / "score.json", share=0.0002, captions=20, folder=tmp_path))
    found = json.loads((tmp_path / "score.json").read_text())
    assert [words[1] for words in asked] == ["-c"] + 8 * ["-m"], "json.load once; each mode cold once and warm three times"
    half = {"cold": 0.5, "warm": 0.5}
    assert found["ratios"] == {"bundled": half, "exact": half, "memory": {"bundled": 1.0, "exact": 1.0}}
    assert all(row["met"] for row in found["bars"])
    assert [path.name for path in tmp_path.iterdir()] == ["score.json"]
    assert capsys.readouterr().out == table(found) + "\n"


@pytest.mark.slow
def test_the_score_command_runs_on_the_synthetic_files(monkeypatch, tmp_path):
    monkeypatch.setattr(score_cost, "_modes", lambda: ["bundled"])
    found = score_cost.measure(ScoreCostConfig(share=0.0002, captions=20, rounds=1, folder=tmp_path))
    assert found["runs"]["bundled"]["cold"] > 0
    assert found["size"]["scored"] == 20
