"""The drift question on recordings that hold almost nothing: reasons in place of numbers, and figures all the same."""

import json

import numpy as np
import pytest

from analysis.drift import __main__ as drift
from analysis.drift.__main__ import QUESTION, DriftConfig, exclusions
from analysis.drift.figures import draw_all
from analysis.drift.findings import paragraph
from analysis.drift.reduce import reduce
from analysis.question.question import by_name
from tests.analysis.synthetic import recording

FAST = ("captions of one token",)
WRITTEN = ("one image", "captions of no token", "one arm", "one layer", "entropy only")  # to the last file


def without(name, **where):
    """A recording in which this variable has no values there."""
    made = recording(4, 12)
    made[name][where] = np.nan
    return made


def holes():
    made = recording(6, 20)
    made["row_entropy"][0, 2, 5] = np.nan
    return made


STRANGE = {
    "one image": lambda: recording(1, 12),
    "captions of one token": lambda: recording(4, 2),
    "captions of no token": lambda: recording(3, 1),
    "one arm": lambda: recording(4, 12).isel(arm=[0]),
    "a layer without values": lambda: without("row_entropy", layer=3),
    "holes": holes,
    "one layer": lambda: recording(4, 12, layers=1),
    "no image in the prompt": lambda: without("mass"),
    "entropy only": lambda: recording(4, 12)[["row_entropy", "n_keys", "n_steps", "caption"]],
}
"""Recordings that hold almost nothing."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind in FAST else pytest.mark.slow) for kind in STRANGE])
@pytest.mark.usefixtures("few_resamples", "sketched")
def test_strange_recordings_give_rows_with_reasons_and_figures(kind, tmp_path):
    reduced = reduce({"replay": STRANGE[kind]()})
    if kind in WRITTEN:
        text = to_files(reduced, tmp_path)
    else:
        text = drift.test(reduced, DriftConfig(), "")
        assert len(draw_all(reduced, by_name(json.loads(text)["results"]))) == 4
    rows = json.loads(text)["results"]
    assert rows[0]["role"] == "primary" or kind == "entropy only"
    for row in rows:
        assert row["reason"] or row["role"] == "descriptive" or row["p"] is not None, row["name"]
    assert "nan" not in paragraph(by_name(rows), json.loads(text))


def to_files(reduced, folder):
    """The text of the results file, when the command has tested and drawn these data."""
    QUESTION.write(reduced, folder / "drift.nc")
    page = folder / "page.md"
    page.write_text("<!-- drift -->\n<!-- /drift -->\n")
    drift.main(DriftConfig(out=folder, page=page, redraw=True))
    assert "\n**" in page.read_text()
    assert {path.name for path in folder.glob("*.svg")} == {"entropy.svg", "visual_mass.svg", "drift.svg", "smoothing.svg"}
    return (folder / "drift.json").read_text()


@pytest.mark.slow
def test_holes_are_counted():
    assert exclusions(reduce({"replay": holes()}))["replay"]["missing_values"]["entropy"] == 6
