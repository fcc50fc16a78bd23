"""The command on a few scenes: cells of the ablation's store are not run again, a redraw makes the same bytes, what is missing is told."""

import contextlib
import io
import json
import re
import shutil
from dataclasses import replace
from unittest import mock

import pytest

from analysis.ablation.config import AblationConfig
from analysis.ablation.plans import planned
from analysis.cells import planning
from analysis.cells.gather import gathered
from analysis.cells.run import Bench
from analysis.sensitivity import command
from analysis.sensitivity.config import SensitivityConfig
from probes.command.cli import BadInput
from probes.subjects import load_subject
from tests.analysis.resamples import few
from tests.analysis.unlaid import UNLAID, unlaid

SMALL = {"images": 4, "batch_size": 4, "max_new_tokens": 6, "workers": 1}
PAGE = "before\n<!-- sensitivity -->\n<!-- /sensitivity -->\nafter\n"


@pytest.fixture(scope="module")
def subject():
    return load_subject()


@pytest.fixture(autouse=True)
def _loaded(subject, monkeypatch):
    monkeypatch.setattr(planning, "load_subject", lambda *_: subject)


def config_in(folder):
    page = folder / "findings.md"
    page.write_text(PAGE)
    swept = {"lambdas": (0.2, 0.3), "margins": (0.3,), "windows": (60,)}
    return SensitivityConfig(out=folder / "out", store=folder / "store", page=page, **swept, **SMALL)


@contextlib.contextmanager
def counted():
    """Names of the cells that are run, in their order."""
    names, run = [], Bench.run

    def noted(self, cell, first=None):
        names.append(cell.name)
        return run(self, cell, first)

    with mock.patch.object(Bench, "run", noted):
        yield names


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def dose_and_a_margin(setting):
    return planned("dose", setting) + [cell for cell in planned("options", setting) if cell.name == "margin 0.3"]


@pytest.fixture(scope="module")
def finished(subject, tmp_path_factory):
    """A whole run after one of the ablation's: its options, the cells that each of the two ran, and what it printed."""
    config, said = config_in(tmp_path_factory.mktemp("sensitivity")), io.StringIO()
    ablation = AblationConfig(store=config.store, **SMALL)
    with few(), unlaid(), mock.patch.object(planning, "load_subject", return_value=subject), contextlib.redirect_stdout(said):
        with counted() as before:
            gathered(
                ablation, lambda setting: planned("dose", setting) + [c for c in planned("options", setting) if c.name == "margin 0.3"]
            )
        with counted() as ran:
            command.perform(config)
    return config, before, ran, said.getvalue()


@pytest.mark.slow
def test_the_command_shares_cells_with_the_ablation_and_redraws(finished, apart):
    config, before, ran, said = finished
    assert not set(before) & set(ran)
    assert {"lambda_ref 0.2", "window 60", "layers 0-2", "all but 0-2"} <= set(ran)
    assert re.match(
        r"before\n<!-- sensitivity -->\n\*\*CHAIR_i depends on [^*]+\.\*\*\n\n4 scenes, 24 ways of smoothing", config.page.read_text()
    )
    assert "No cell and no scene is left out." in said
    drawn, page = contents(config.out), config.page.read_text()
    assert {"sensitivity.nc", "sensitivity.json", "options.svg", "amount.svg", "plane.svg"} <= set(drawn)
    with counted() as again:
        command.measure(config)
    assert again == []

    apart(UNLAID + REDRAW.format(out=str(config.out), page=str(config.page)))
    assert contents(config.out) == drawn
    assert config.page.read_text() == page


REDRAW = (
    "import sys; from pathlib import Path; from analysis.sensitivity.config import SensitivityConfig; "
    "from analysis.sensitivity.command import perform; "
    "perform(SensitivityConfig(redraw=True, out=Path({out!r}), page=Path({page!r}))); assert 'torch' not in sys.modules"
)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_a_failing_cell_is_left_out_and_named(finished, tmp_path, monkeypatch):
    config = config_in(tmp_path)
    shutil.copytree(finished[0].store, config.store)
    (left,) = config.store.glob("window-60-*.json")
    left.unlink()

    def failing(self, cell, first=None):
        raise RuntimeError("it broke")

    monkeypatch.setattr(Bench, "run", failing)
    with pytest.raises(BadInput, match="1 of the cells failed, the others are kept and drawn: cell window 60: it broke"):
        command.perform(config)
    told = json.loads((config.out / "sensitivity.json").read_text())
    assert told["excluded"] == ["window 60"]
    assert not any(row["name"].startswith("window/range") for row in told["results"])
    assert "Not finished and left out: window 60." in config.page.read_text()


def test_a_redraw_without_data_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"sensitivity\.nc: there is no such file to redraw from"):
        command.perform(replace(config_in(tmp_path), redraw=True))
