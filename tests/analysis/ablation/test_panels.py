"""Panels of the ablation's figures: what a colour says."""

import pytest
from matplotlib.figure import Figure

from analysis.ablation.panels import BETTER, FOUR, SIX, WORSE, differences
from tests.analysis.ablation.test_page import row

PLAIN = "#222222"
COLOURS = {
    "chair_i": (BETTER, WORSE),
    "chair_s": (BETTER, WORSE),
    "recall": (WORSE, BETTER),
    "f1": (WORSE, BETTER),
    "length": (PLAIN, PLAIN),
    "looping": (BETTER, WORSE),
}
"""Of a fall and of a rise that the test finds."""


@pytest.mark.parametrize("measure", COLOURS)
def test_colour_tells_good_from_bad_where_the_test_rejects(measure):
    ax = Figure().subplots()
    signs = {"fell": -1, "rose": 1, "unclear": 0}
    rows = {f"{name} - baseline/{measure}": row(name, sign) for name, sign in signs.items()}
    differences(ax, rows, [(name, "baseline") for name in signs], list(signs), measure)
    marks = [mark for mark in ax.lines if mark.get_marker() == "o" and len(mark.get_xdata())]
    assert [mark.get_color() for mark in marks] == [*COLOURS[measure], PLAIN]
    assert [mark.get_markerfacecolor() for mark in marks] == [*COLOURS[measure], "white"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["unclear", "rose", "fell"]


def test_every_measure_of_the_figures_has_its_colours_here():
    assert set(COLOURS) == {*FOUR, *SIX}
