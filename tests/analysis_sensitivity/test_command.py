"""The command on a few scenes: cells of the ablation's store are not run again, a redraw makes the same bytes, what is missing is told."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from analysis.ablation import planning
from analysis.ablation.config import AblationConfig
from analysis.ablation.gather import gathered
from analysis.ablation.plans import planned
from analysis.ablation.run import Bench
from analysis.sensitivity import command
from analysis.sensitivity.config import SensitivityConfig
from probes.cli import BadInput
from probes.subjects import load_subject

SMALL = {"images": 4, "batch_size": 4, "max_new_tokens": 20, "workers": 1}


@pytest.fixture(scope="module")
def subject():
    return load_subject()


@pytest.fixture
def config(tmp_path, subject, monkeypatch):
    monkeypatch.setattr(planning, "load_subject", lambda *_: subject)
    page = tmp_path / "findings.md"
    page.write_text("before\n<!-- sensitivity -->\n<!-- /sensitivity -->\nafter\n")
    swept = {"lambdas": (0.2, 0.3), "margins": (0.3,), "windows": (60,)}
    return SensitivityConfig(out=tmp_path / "out", store=tmp_path / "store", page=page, **swept, **SMALL)


@pytest.fixture
def counted(monkeypatch):
    """Names of the cells that are run, in their order."""
    names, run = [], Bench.run

    def noted(self, cell, first=None):
        names.append(cell.name)
        return run(self, cell, first)

    monkeypatch.setattr(Bench, "run", noted)
    return names


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_the_command_shares_cells_with_the_ablation_and_redraws(config, counted, capsys):
    ablation = AblationConfig(store=config.store, **SMALL)
    gathered(ablation, lambda setting: planned("dose", setting) + [c for c in planned("options", setting) if c.name == "margin 0.3"])
    already = set(counted)
    counted.clear()
    command.perform(config)
    assert not already & set(counted)
    assert {"lambda_ref 0.2", "window 60", "layers 0-2", "all but 0-2"} <= set(counted)
    assert re.match(
        r"before\n<!-- sensitivity -->\n\*\*CHAIR_i depends on [^*]+\.\*\*\n\n4 scenes, 24 ways of smoothing", config.page.read_text()
    )
    assert "No cell and no scene is left out." in capsys.readouterr().out
    drawn, page = contents(config.out), config.page.read_text()
    assert {"sensitivity.nc", "sensitivity.json", "options.png", "amount.svg", "plane.png"} <= set(drawn)
    counted.clear()
    command.measure(config)
    assert counted == []

    words = [sys.executable, "-c", REDRAW.format(out=str(config.out), page=str(config.page))]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert contents(config.out) == drawn
    assert config.page.read_text() == page


REDRAW = (
    "import sys; from pathlib import Path; from analysis.sensitivity.config import SensitivityConfig; "
    "from analysis.sensitivity.command import perform; "
    "perform(SensitivityConfig(redraw=True, out=Path({out!r}), page=Path({page!r}))); assert 'torch' not in sys.modules"
)


@pytest.mark.slow
def test_a_failing_cell_is_left_out_and_named(config, monkeypatch):
    run = Bench.run

    def failing(self, cell, first=None):
        if cell.name == "window 60":
            raise RuntimeError("it broke")
        return run(self, cell, first)

    monkeypatch.setattr(Bench, "run", failing)
    with pytest.raises(BadInput, match="1 of the cells failed, the others are kept and drawn: cell window 60: it broke"):
        command.perform(config)
    told = json.loads((config.out / "sensitivity.json").read_text())
    assert told["excluded"] == ["window 60"]
    assert not any(row["name"].startswith("window/range") for row in told["results"])
    assert "Not finished and left out: window 60." in config.page.read_text()


def test_a_redraw_without_data_is_refused(config):
    with pytest.raises(BadInput, match=r"sensitivity\.nc: there is no such file to redraw from"):
        command.perform(replace(config, redraw=True))
