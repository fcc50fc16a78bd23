"""The command: its files, its paragraph, the redraw without a model, and what it refuses in one line."""

import json
import math
import re

import pytest

from analysis.logits import __main__ as command
from analysis.question.images import Shown
from analysis.stats.bootstrap import cluster_bca
from analysis.stats.paired import sign_flip
from analysis.telling.wording import number, signed
from probes.command.cli import BadInput
from tests.analysis.objects.synthetic import annotations, recordings
from tests.analysis.sketches import SKETCH


def test_numbers_are_told_with_interval_n_and_p():
    row = {"estimate": -1.23456, "interval": [-2.0, math.nan], "n": 7, "p_adjusted": 0.0004, "reason": ""}
    assert number(row) == "−1.23 [−2.00, –] (n = 7, p < 0.001)"
    assert number(row | {"estimate": math.nan, "reason": "no pair"}) == "unknown (no pair)"
    assert signed(-0.000123) == "−0.000123"


def test_a_redraw_without_files_says_what_to_run(tmp_path):
    with pytest.raises(BadInput, match=r"no such file to redraw from; run python -m analysis\.logits"):
        command.main(command.LogitsConfig(out=tmp_path, redraw=True))


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_a_whole_run_and_its_redraw(apart, tmp_path, monkeypatch, capsys):
    """From recordings to figures and paragraph; the redraw makes the same bytes without torch, and every number told is a result's."""
    made = recordings(images=8, steps=40, drop=3.0)
    monkeypatch.setattr(command, "recordings_of", lambda config, regimes, variables, items: {regime: made[regime] for regime in regimes})
    monkeypatch.setattr(command, "shown", lambda *given: Shown((), annotations(8)))
    monkeypatch.setattr("analysis.question.families.cluster_bca", lambda s, n, **o: cluster_bca(s, n, **o | {"resamples": 199}))
    monkeypatch.setattr("analysis.question.families.sign_flip", lambda values, seed: sign_flip(values, draws=199, seed=seed))
    out, page = tmp_path / "out", tmp_path / "page.md"
    page.write_text("# Findings\n\n<!-- logits -->\n<!-- /logits -->\n")
    command.main(command.LogitsConfig(images=8, out=out, page=page))
    assert "Primary outcomes" in capsys.readouterr().out
    names = {"logits.nc", "logits.json", *(f"{name}.svg" for name in ("logits", "slopes"))}
    assert {path.name for path in out.iterdir()} == names
    told = page.read_text()
    assert told.startswith("# Findings")
    found = json.loads((out / "logits.json").read_text())
    known = {signed(row["estimate"]) for row in found["results"] if row["estimate"] is not None}
    assert set(re.findall(r"(−?[\d.e−]+) \[", told)) <= known
    assert found["counted"]["images_with"]["present"] == 8
    before = {path.name: path.read_bytes() for path in out.iterdir()} | {"page": page.read_bytes()}
    code = f"{SKETCH}import sys; from pathlib import Path; from analysis.logits.__main__ import LogitsConfig, main; "
    code += f"main(LogitsConfig(out=Path({str(out)!r}), page=Path({str(page)!r}), redraw=True)); assert 'torch' not in sys.modules"
    apart(code)
    assert {path.name: path.read_bytes() for path in out.iterdir()} | {"page": page.read_bytes()} == before
