"""Words set on colours and attention over an image: the layout loses nothing, and a colour is what its number says."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.plots.caption import MARK, classed, valued, wrapped
from analysis.plots.overlay import LIMIT, OPAQUE, overlay, ratio_bar
from analysis.plots.style import ARM_COLOURS, BETTER, CONSTANT_COLOUR, OBJECT_COLOURS, SEQUENTIAL, WORSE

PIECES = ["The", " pot", "ted", " plant", ",", " a", " horse", "."]


@pytest.fixture
def ax():
    figure, ax = plt.subplots(figsize=(4, 1), layout="constrained")
    yield ax
    plt.close(figure)


def grounds(ax):
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 12)), max_size=30), st.integers(12, 40))
def test_lines_hold_every_piece_once_and_in_order(drawn, width):
    pieces = [" " * space + "x" * length for space, length in drawn]
    places, lines = wrapped(pieces, width)
    assert len(places) == len(pieces)
    assert all(0 <= line < lines for line, _ in places)
    assert all(start + len(piece.strip()) <= width for piece, (_, start) in zip(pieces, places, strict=True))
    for i in range(1, len(pieces)):
        (line, start), (before, ended) = places[i], (places[i - 1][0], places[i - 1][1] + len(pieces[i - 1].strip()))
        if line == before:
            assert start == ended + pieces[i].startswith(" ")
        else:
            assert (line, start) == (before + 1, 0)


def test_lines_break_at_spaces_where_a_word_fits():
    assert wrapped(["one", " pot", "ted", " plant"], 9) == ([(0, 0), (1, 0), (1, 3), (2, 0)], 3)
    assert wrapped(["ab", "cd", "ef"], 4) == ([(0, 0), (0, 2), (1, 0)], 2)  # longer than a line, so between its pieces


def test_a_word_has_the_colour_of_its_number_and_none_without_one(ax):
    values = np.array([0.0, 1.0, 2.0, np.nan, 4.0, 3.0, 2.0, 1.0])
    valued(PIECES, values, label="entropy (nat)", marked=[6], ax=ax)
    colours = plt.get_cmap(SEQUENTIAL)
    assert [to_hex(patch.get_facecolor()) for patch in grounds(ax)] == [to_hex(colours(v / 4)) for v in values if np.isfinite(v)]
    assert [shown.get_text() for shown in ax.texts] == [piece.strip() for piece in PIECES]
    assert [line.get_color() for line in ax.lines] == [MARK]
    assert ax.figure.axes[1].get_xlabel() == "entropy (nat)"


def test_what_marks_a_word_is_no_arms_colour():
    assert not {MARK, *OBJECT_COLOURS.values()} & {*ARM_COLOURS.values(), CONSTANT_COLOUR}


def test_words_are_set_in_a_part_of_a_figure_too():
    whole = Figure(figsize=(4, 2), layout="constrained")
    (above,), _ = whole.subfigures(2, 1, squeeze=False)
    drawn = classed(PIECES, [None] * len(PIECES), {}, ax=above.subplots())
    assert [text.get_text() for text in drawn.texts] == [piece.strip() for piece in PIECES]


def test_no_number_and_equal_numbers_are_drawn_too(ax):
    valued(PIECES, np.full(len(PIECES), np.nan), ax=ax)
    assert not grounds(ax)
    valued(PIECES, np.full(len(PIECES), 2.0), ax=ax)
    assert len(grounds(ax)) == len(PIECES)


def test_a_ground_never_covers_its_neighbour_in_a_word(ax):
    classed(PIECES, [None, "present", "present", "present", None, None, "absent", None], {"present": BETTER, "absent": WORSE}, ax=ax)
    boxes = sorted((patch.get_y(), patch.get_x(), patch.get_x() + patch.get_width()) for patch in grounds(ax))
    assert len(boxes) == 4
    assert all(right <= left + 1e-9 for (y, _, right), (z, left, _) in itertools.pairwise(boxes) if y == z)
    assert [shown.get_text() for shown in ax.get_legend().get_texts()] == ["present (3)", "absent (1)"]


def test_a_patch_is_clear_at_its_null_and_opaque_at_the_limit(ax):
    image = np.full((28, 42, 3), 200, dtype=np.uint8)
    ratio = np.array([[1.0, LIMIT, 2 * LIMIT], [np.nan, 0.0, 1 / LIMIT]])
    overlay(image, ratio, ax=ax)
    colours = ax.images[1].get_array()
    np.testing.assert_allclose(colours[..., 3], np.array([[0, 1, 1], [0, 1, 1]]) * OPAQUE)
    assert colours[0, 1, 0] > colours[0, 1, 2], "more than the null is red"
    assert colours[1, 2, 0] < colours[1, 2, 2], "less than the null is blue"
    assert list(ax.images[1].get_extent()) == [0, 42, 28, 0]


def test_the_bar_names_ratios(ax):
    ratio_bar([ax], "over uniform")
    bar = ax.figure.axes[1]
    assert [shown.get_text() for shown in bar.get_xticklabels()] == ["0.25", "0.5", "1", "2", "4"]
    assert bar.get_xlabel() == "over uniform"
