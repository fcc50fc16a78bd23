"""The drift question on recordings that hold almost nothing: reasons in place of numbers, and figures all the same."""

import json

import numpy as np
import pytest

from analysis.drift import __main__ as drift
from analysis.drift.__main__ import QUESTION, DriftConfig, exclusions
from analysis.drift.findings import paragraph
from analysis.drift.reduce import reduce
from analysis.plots.style import save
from analysis.question.command import QuestionOutcome
from analysis.question.question import by_name
from tests.analysis.synthetic import recording
from tests.analysis.unlaid import unlaid

ENTROPY_ONLY = ["row_entropy", "n_keys", "n_steps", "caption"]
FAST = ("captions of one token",)
BY_COMMAND = ("captions of no token", "one arm", "entropy only")  # from the file of reduced data to the page
WRITTEN = ("one image", "one layer")  # their figures are written as well
FIGURES = {"entropy", "visual_mass", "drift", "smoothing"}


def holes():
    """One value of the entropy is missing."""
    made = recording(6, 20)
    made["row_entropy"][0, 2, 5] = np.nan
    return made


def much_missing():
    """Besides, a layer has no entropy, and nothing is known of masses, as where a prompt has no image."""
    made = recording(4, 12)
    made["row_entropy"][0, 2, 5] = made["row_entropy"][{"layer": 3}] = made["mass"][{}] = np.nan
    return made


STRANGE = {
    "one image": lambda: recording(1, 12),
    "captions of one token": lambda: recording(4, 2),
    "captions of no token": lambda: recording(3, 1),
    "one arm": lambda: recording(4, 12).isel(arm=[0]),
    "a hole, a layer without values, and no image in the prompt": much_missing,
    "one layer": lambda: recording(4, 12, layers=1),
    "entropy only": lambda: recording(4, 12)[ENTROPY_ONLY],
}
"""Recordings that hold almost nothing."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind in FAST else pytest.mark.slow) for kind in STRANGE])
@pytest.mark.usefixtures("few_resamples")
def test_strange_recordings_give_rows_with_reasons_and_figures(kind, tmp_path):
    reduced = reduce({"replay": STRANGE[kind]()})
    with unlaid():
        found = json.loads(by_command(reduced, tmp_path) if kind in BY_COMMAND else drift.test(reduced, DriftConfig(), ""))
        if kind not in BY_COMMAND:
            answer = QuestionOutcome(reduced, found, DriftConfig())
            for name, (made, note) in drift.figures(answer).items():
                if kind in WRITTEN:
                    save(made, tmp_path / name, answer.about, note)
            assert drift.words(answer)[1]
    assert {path.stem for path in tmp_path.glob("*.svg")} == (FIGURES if kind in (*BY_COMMAND, *WRITTEN) else set())
    rows = found["results"]
    assert rows[0]["role"] == "primary" or kind == "entropy only"
    for row in rows:
        assert row["reason"] or row["role"] == "descriptive" or row["p"] is not None, row["name"]
    assert "nan" not in paragraph(by_name(rows), found)


def by_command(reduced, folder):
    """The text of the results file, when the command has tested and drawn these data."""
    QUESTION.write(reduced, folder / "drift.nc")
    page = folder / "page.md"
    page.write_text("<!-- drift -->\n<!-- /drift -->\n")
    drift.main(DriftConfig(out=folder, page=page, redraw=True))
    assert "\n**" in page.read_text()
    return (folder / "drift.json").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples")
def test_holes_are_counted():
    assert exclusions(reduce({"replay": holes()[ENTROPY_ONLY]}))["replay"]["missing_values"]["entropy"] == 6
