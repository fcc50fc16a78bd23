"""The command on a few scenes: resumes, reruns what is asked, gives two-pass cells their first pass, redraws the same bytes."""

import json
import re
from dataclasses import replace

import pytest
import torch

from analysis.ablation import command
from analysis.ablation.config import AblationConfig
from analysis.cells.cells import Cell
from analysis.cells.names import BASELINE, PAPER
from analysis.cells.run import Bench, CellsJob
from analysis.cells.store import Place, read_applied
from analysis.cells.workers import Task, work
from probes.command.cli import BadInput
from tests.analysis.unlaid import UNLAID, unlaid

JOB = CellsJob("emoji", 4, "Please describe this image in detail.", 2, 8, {"lambda_ref": 0.7, "exact": False})


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


def redraw(config):
    """A program that redraws, and loads no model."""
    options = f"redraw=True, out=Path({str(config.out)!r}), page=Path({str(config.page)!r})"
    return (
        f"{UNLAID}import sys; from pathlib import Path; from analysis.ablation.config import AblationConfig; "
        "from analysis.ablation.command import perform; "
        f"perform(AblationConfig({options})); assert 'torch' not in sys.modules"
    )


@pytest.mark.slow
def test_the_command_runs_resumes_reruns_and_redraws(config, counted, apart, capsys, monkeypatch):
    with unlaid():
        command.perform(config)
    # both policies need the first pass of their own place, which the lists do not name
    assert counted == [BASELINE, PAPER, "first pass of permuted, keys only", "permuted", "permuted, keys only"]
    assert "5 cells run" in capsys.readouterr().out
    opening = r"before\n<!-- ablation -->\n\*\*KVSmooth [^*\n]+\.\*\*\n\n4 scenes, 5 cells"
    assert re.match(opening, config.page.read_text())
    assert config.page.read_text().endswith("<!-- /ablation -->\nafter\n")
    drawn = contents(config.out)
    assert {"ablation.nc", "ablation.json", "cross.svg"} <= set(drawn)

    apart(redraw(config))
    assert contents(config.out) == drawn

    monkeypatch.setattr("analysis.plots.style.save", lambda *given: None)  # drawn already
    counted.clear()
    command.perform(config)
    assert counted == []

    command.perform(replace(config, only=("permuted",)))
    assert counted == ["permuted"]
    told = json.loads((config.out / "ablation.json").read_text())
    assert told["provenance"]["wall"]["cells_of_this_run"] == 1
    assert len(told["cells"]) == 5

    counted.clear()
    command.perform(replace(config, lambda_ref=0.5, only=("permuted",)))
    assert BASELINE not in counted, "the baseline does not hang on the method's options"
    assert counted == [PAPER, "permuted"]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_an_interrupt_keeps_what_is_finished(config, counted, monkeypatch):
    run = Bench.run

    def interrupted(self, cell, first=None):
        if cell.name == "permuted":
            raise KeyboardInterrupt
        return run(self, cell, first)

    monkeypatch.setattr(Bench, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.perform(config)
    assert counted[-1] != "permuted"
    counted.clear()
    monkeypatch.setattr(Bench, "run", run)
    command.perform(config)
    assert counted == ["permuted", "permuted, keys only"]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_failing_cell_is_named_and_loses_no_other(config, monkeypatch):
    run = Bench.run

    def failing(self, cell, first=None):
        if cell.name == "permuted":
            raise RuntimeError("it broke")
        return run(self, cell, first)

    monkeypatch.setattr(Bench, "run", failing)
    with pytest.raises(BadInput, match="1 of the cells failed, the others are kept and drawn: cell permuted: it broke"):
        command.perform(config)
    told = json.loads((config.out / "ablation.json").read_text())
    assert told["provenance"]["missing_cells"] == ["permuted"]
    assert {"permuted, keys only", PAPER, BASELINE} <= {cell["name"] for cell in told["cells"]}


@pytest.mark.slow
def test_two_pass_cells_receive_what_the_first_pass_applied(half_subject, tmp_path):
    subject = half_subject
    bench = Bench(JOB, subject)
    paper, permuted = Cell(PAPER, "ladder"), Cell("permuted", "ladder", {"policy": "permuted"})
    rates = tmp_path / "rates.npz"
    tasks = [
        Task(permuted, Place(tmp_path / "permuted.json", first=rates)),
        Task(paper, Place(tmp_path / "paper.json", rates=rates)),
    ]
    assert work(JOB, tasks, 1, subject) == {}
    first = read_applied(rates)
    result, applied = bench.run(permuted, first)
    assert [len(one.steps) for one in first] == [2, 2]
    told = json.loads((tmp_path / "permuted.json").read_text())
    assert told["captions"] == result["captions"]
    for one, two in zip(first, applied, strict=True):
        for row in range(2):
            steps = int(one.steps[row])
            if int(two.steps[row]) == steps:  # the multiset is whole where the caption is as long as the first pass's
                torch.testing.assert_close(two.rates[:steps, :, row].sort(0).values, one.rates[:steps, :, row].sort(0).values)


def test_receipts_are_means_over_own_steps(half_subject):
    subject = half_subject
    bench = Bench(JOB, subject)
    result, applied = bench.run(Cell(PAPER, "ladder"))
    batch, row = 1, 0
    one = applied[batch]
    own = one.rates[: int(one.steps[row]), :, row].double()
    assert result["rate"][2] == pytest.approx(own.mean().item())
    assert result["floor"][2] == pytest.approx((own <= 0.5 + 1e-6).double().mean().item())
    assert result["tokens"][2] == int(one.steps[row]) + 1
    prompt = bench.decoding.batches[1]["input_ids"].shape[1]
    ids = subject.model.generate(**bench.decoding.batches[1], do_sample=False, max_new_tokens=8)[:, prompt:]
    baseline, nothing = bench.run(Cell(BASELINE, "reference", None))
    assert baseline["captions"][2:] == [subject.text(row.tolist()) for row in ids]
    assert nothing == []
    assert set(baseline["rate"]) == {0.0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bands": ("3-20",)}, "--bands must be like 3-10 or 4, below 6"),
        ({"only": ("nothing",)}, "--only nothing: the plan has no such cell; it has baseline, kvsmooth"),
    ],
)
def test_lists_that_name_nothing_are_refused_in_one_line(config, options, words):
    with pytest.raises(BadInput) as error:
        command.perform(replace(config, **options))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        {"detectors": ("x",)},
        {"policies": ("x",)},
        {"mixes": ("x",)},
        {"places": ("x",)},
        {"plan": "x"},
        {"windows": (0,)},
        {"lambdas": (2.0,)},
    ],
)
def test_options_of_no_registry_are_refused(options):
    with pytest.raises(ValueError, match=f"AblationConfig.{next(iter(options))} must "):
        AblationConfig(**options)


@pytest.mark.usefixtures("undrawn")
def test_a_redraw_without_data_or_with_other_options_is_refused(config):
    with pytest.raises(BadInput, match="there is no such file to redraw from"):
        command.perform(replace(config, redraw=True))
    command.perform(replace(config, policies=(), places=("keys",)))
    with pytest.raises(BadInput, match=r"--images 7: .* was made with 4"):
        command.perform(replace(AblationConfig(redraw=True, images=7), out=config.out, page=config.page))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_damaged_files_are_named(config, tmp_path):
    damaged = tmp_path / "rates.npz"
    damaged.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(BadInput, match="is damaged"):
        read_applied(damaged)
    circle = tmp_path / "circle.npz"
    circle.symlink_to(circle)
    with pytest.raises(OSError, match="symbolic links"):
        read_applied(circle)
    command.perform(replace(config, policies=(), places=("keys",)))
    cell = next(config.store.glob("keys-only*.json"))
    cell.write_text(cell.read_text()[:100])
    with pytest.raises(BadInput, match=r"keys-only.*\.json: is damaged"):
        command.perform(replace(config, policies=(), places=("keys",)))
