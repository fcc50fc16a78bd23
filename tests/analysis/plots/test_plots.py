"""Drawings: what lands on the axes, and files that stay the same to the byte."""

import json
import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.drift.quantities import GROUPS
from analysis.plots.composition import composition
from analysis.plots.forest import Point, forest
from analysis.plots.heat import heat, outline
from analysis.plots.rates import clipped, ecdf
from analysis.plots.steps import fewest, risk_table, steps
from analysis.plots.style import ARM_COLOURS, GROUP_COLOURS, figure, house, legend, line, save


@pytest.fixture
def ax():
    return Figure().subplots()


def test_a_line_ends_where_few_images_are_left(ax):
    at_risk = np.array([50, 50, 20, 4])
    steps(np.arange(4), np.arange(4.0), np.arange(4) - 1.0, np.arange(4) + 1.0, at_risk=at_risk, ax=ax)
    drawn = ax.lines[0].get_ydata()
    assert np.isfinite(drawn).tolist() == [True, True, True, False]
    assert (fewest(at_risk), fewest(np.array([3, 1])), fewest(np.array([200]))) == (5, 3, 20)


def test_risk_table_writes_the_counts(ax):
    ax.set_xlim(0, 40)
    risk_table(np.arange(41), {"n": (np.arange(41)[::-1].copy(), "0.3")}, ax=ax)
    words = [text.get_text() for text in ax.texts]
    assert "n" in words
    assert "40" in words


def test_outline_is_the_common_border_of_neighbours():
    cells = np.array([[True, True, False], [False, True, False]])
    found = outline(cells, np.array([0.5, 1.5, 2.5]), np.array([1.5, 2.5, 3.5]))
    assert len(found) == 8  # a polyomino of three cells in an L has a border of eight sides
    assert ((1.5, -0.5), (1.5, 0.5)) not in found


def test_difference_maps_are_centred_on_zero(ax):
    heat(np.array([[-1.0, 3.0]]), np.array([5]), np.array([1, 2]), difference=True, ax=ax)
    low, high = ax.collections[0].get_clim()
    assert low == -high


def test_forest_fills_what_rejects_and_leaves_out_what_is_not_there(ax):
    points = [Point(0, 1.0, 0.5, 1.5, True), Point(1, 0.1, np.nan, np.nan, False), Point(2, np.nan, np.nan, np.nan, False)]
    forest([("replay", "#222222", "o", points)], ["0", "1", "2"], ax=ax)
    faces = [mark.get_markerfacecolor() for mark in ax.lines if mark.get_marker() == "o" and len(mark.get_xdata())]
    assert faces == ["#222222", "white"]


def test_shares_stack_to_one_and_colours_are_there(ax):
    composition(np.arange(5), {name: np.full(5, 1 / 6) for name in GROUPS}, GROUP_COLOURS, ax=ax)
    assert max(path.get_paths()[0].vertices[:, 1].max() for path in ax.collections) == pytest.approx(1)


def test_rates_draw_known_layers_only(ax):
    ecdf(np.linspace(0, 1, 3), np.array([[np.nan] * 3, [0, 0.5, 1]]), np.array([2, 3]), ax=ax)
    assert len(ax.lines) == 1
    clipped([("a", "k", np.array([0.3])), ("b", "r", np.array([0.7]))], np.array([3]), ax=ax)
    assert ax.patches[-1].get_y() + ax.patches[-1].get_height() == pytest.approx(1)


def test_an_empty_panel_has_no_legend(ax):
    legend(ax)
    assert ax.get_legend() is None


def test_arm_colours_differ_in_lightness_too():
    grey = [np.dot(matplotlib.colors.to_rgb(colour), [0.299, 0.587, 0.114]) for colour in ARM_COLOURS.values()]
    assert abs(grey[0] - grey[1]) > 0.05


DRAWS = """
from dataclasses import dataclass
from pathlib import Path
from probes.command.cli import run_cli

@dataclass(frozen=True)
class Options:
    'Draws.'

    out: Path

def main(config):
    from analysis.plots.style import figure, save

    made = figure(3, 2)
    made.add_subplot().plot([1, 2])
    save(made, config.out, {"seed": 0})

run_cli(Options, main)
"""


def test_a_home_that_may_not_be_written_and_a_place_of_any_bytes_are_drawn_to(tmp_path):
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"), os.devnull)
    place = os.fsencode(tmp_path) + b"/p\xff"
    done = subprocess.run([sys.executable, "-c", DRAWS, "--out", place], env=os.environ | nowhere, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"(p\\udcff.svg, p\\udcff.png)\n")
    assert sorted(os.listdir(os.fsencode(tmp_path))) == [b"p\xff.png", b"p\xff.svg"]


def test_files_carry_their_provenance_and_are_stable(tmp_path):
    about = {"git_commit": "ab" * 20 + "-dirty", "model_id": "emoji", "n": 7, "seed": 0}
    for name in ("a", "b"):
        with house():
            made = figure(3.4, 2.0)
            made.subplots().plot([0, 1], [1, 0])
            save(made, tmp_path / name, about, "a note")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "ababababab-dirty" in (tmp_path / "a.svg").read_text()
    assert json.dumps("ab" * 20 + "-dirty") in (tmp_path / "a.svg").read_text().replace("&quot;", '"')
    assert line(about) == "commit ababababab-dirty · model emoji · n 7 · seed 0"


def test_a_note_of_many_lines_lies_under_the_labels_of_the_axes(tmp_path):
    with house():
        made = figure(5.5, 2.5)
        ax = made.subplots()
        ax.set_xlabel("what is measured")
        save(made, tmp_path / "x", {"n": 9}, note="one\ntwo\nthree\nfour\nfive")
        drawn = FigureCanvasAgg(made).get_renderer()
        (note,) = made.texts
        assert note.get_window_extent(drawn).y1 <= ax.xaxis.label.get_window_extent(drawn).y0
