"""The committed page is what the committed results say, and nothing of a caption is in either."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from analysis.published.data import unpacked
from analysis.published.figures import published
from analysis.published.findings import paragraph
from analysis.question.question import by_name
from tests.rooms import ROOT

FIGURES = ROOT / "figures" / "published"


def test_the_page_tells_the_committed_results():
    found = json.loads((FIGURES / "published.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
    told = page.partition("<!-- published -->\n")[2].partition("\n<!-- /published -->")[0]
    assert told == paragraph(by_name(found["results"]), found).strip()


def test_of_closed_logs_nothing_by_caption_is_committed():
    import xarray as xr

    reduced = xr.load_dataset(Path(FIGURES / "published.nc"), engine="h5netcdf")
    opened, closed = unpacked(reduced)
    logs = {log["name"]: log for log in json.loads(reduced.attrs["logs"])}
    assert {name for name, log in logs.items() if not log["licence"].startswith("none")} == set(opened)
    assert closed
    assert all(variable.dtype.kind in "iuf" for variable in reduced.data_vars.values()), "numbers only"


def test_of_a_baseline_that_names_no_absent_object_no_ratio_is_drawn():
    rows = {f"{log}/chair_s": {"estimate": value} for log, value in (("greedy", 0.0), ("other", 0.0), ("a", 0.1), ("b", 0.1))}
    rows |= {f"{pair}/f1": {"estimate": 0.02} for pair in ("a - greedy", "b - other")}
    rows["other/chair_s"] = {"estimate": 0.4}
    verdicts = [{"log": log, "baseline": base, "verdict": "says less"} for log, base in (("a", "greedy"), ("b", "other"))]
    found = {"logs": [{"name": name, "model": "LLaVA-1.5-7B"} for name in ("greedy", "other", "a", "b")], "lines": [], "verdicts": verdicts}
    _, others = published(Figure().add_subplot(), rows, found, "LLaVA-1.5-7B")
    assert others == [(pytest.approx(0.25), pytest.approx(2.0))]
