"""One table of what each model costs: planted results, what is no results, and that the page tells the committed ones."""

import json
import re
from pathlib import Path

import pytest

from analysis.efficiency import across
from analysis.efficiency.rounds import summary
from probes.command.cli import BadInput
from tests.rooms import ROOT


def planted(kvsmooth, **more):
    """Results of three rounds in which KVSmooth costs the same each time."""
    seconds = {"plain": 2.0, "kvsmooth": 2.0 * kvsmooth, **more}
    part = {name: {where: {"processor": one, "wall": one} for where in ("whole", "decode")} for name, one in seconds.items()}
    return summary([{name: {"own": part[name], "beside": part["plain"]} for name in seconds}] * 3)


def test_a_goal_is_met_or_not_and_what_was_not_measured_is_empty():
    told = across.markdown({"efficiency": planted(1.02), "smollm2": planted(1.04)})
    (row,) = re.findall(r"\| KVSmooth \|.*", told)
    assert row == "| KVSmooth | 1.020 [1.020, 1.020], met | 1.040 [1.040, 1.040], not met | at most 1.03 |"
    assert "| recording |  |  | at most 1.12 |" in told
    assert "random weights, 3 rounds of one process |" in told.splitlines()[0]


def test_what_the_method_adds_is_told_over_a_cache_that_grows_in_place():
    told = across.markdown({"efficiency": planted(0.9, plain_in_place=1.6), "smollm2": planted(1.04)})
    assert "| plain, its cache growing in place | 0.800 [0.800, 0.800] |  |  |" in told
    assert "| KVSmooth over that | 1.125 [1.125, 1.125] |  |  |" in told
    assert "| KVSmooth, `exact=False`, over that |  |  |  |" in told
    assert "| KVSmooth | 0.900 [0.900, 0.900], met | 1.040 [1.040, 1.040], not met | at most 1.03 |" in told


@pytest.mark.parametrize(
    "text", [None, "{", "[]", "{}", '{"spread": {"whole": {"plain": 1.0}}}'], ids=["none", "torn", "list", "empty", "old"]
)
def test_what_is_no_results_is_refused_by_name(tmp_path, text):
    for name in across.MODELS:
        (tmp_path / f"{name}.json").write_text(json.dumps(planted(1.0)))
    assert set(across.results(tmp_path)) == set(across.MODELS)
    path = tmp_path / "smollm2.json"
    before = planted(1.0)
    before["rounds"] = [{name: one["own"] for name, one in each.items()} for each in before["rounds"]]
    (tmp_path / "layers_7b.json").write_text(json.dumps(before))
    with pytest.raises(BadInput, match=r"layers_7b\.json: no results of python -m analysis\.efficiency"):
        across.results(tmp_path)
    (tmp_path / "layers_7b.json").write_text(json.dumps(planted(1.0)))
    (tmp_path / "layers_7b.json").write_text(json.dumps(planted(1.0) | {"rounds": []}))
    with pytest.raises(BadInput, match=r"layers_7b\.json: no results of python -m analysis\.efficiency, or of an earlier version"):
        across.results(tmp_path)
    (tmp_path / "layers_7b.json").write_text(json.dumps(planted(1.0)))
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(BadInput, match=r"smollm2\.json: no results of python -m analysis\.efficiency"):
        across.results(tmp_path)


def test_results_of_ones_own_never_reach_the_page_of_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "findings.md").touch()
    page = tmp_path / "docs" / "method.md"
    page.write_text("<!-- cost -->\n<!-- /cost -->\n")
    for folder in ("out/efficiency", "figures/efficiency"):
        (tmp_path / folder).mkdir(parents=True)
        for name in across.MODELS:
            (tmp_path / folder / f"{name}.json").write_text(json.dumps(planted(1.0)))
    before = page.read_text()
    with pytest.raises(BadInput, match=r"--page docs/method\.md: tells of results under figures/ alone; give a page of your own"):
        across.main(across.AcrossConfig(folder=Path("out/efficiency")))
    assert page.read_text() == before
    across.main(across.AcrossConfig(folder=Path("out/efficiency"), page=Path("out/cost.md")))
    across.main(across.AcrossConfig())
    assert "| KVSmooth | 1.000" in page.read_text()


def test_the_page_tells_the_committed_results():
    (told,) = re.findall(r"<!-- cost -->\n(.*?)<!-- /cost -->", (ROOT / "docs/method.md").read_text(), re.DOTALL)
    assert told == f"{across.markdown(across.results(ROOT / 'figures/efficiency'))}\n", "run python -m analysis.efficiency.across"
