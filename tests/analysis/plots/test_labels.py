"""Names beside points: each on the side where it covers least."""

import pytest

from analysis.plots.labels import names
from analysis.plots.style import figure


@pytest.fixture
def ax():
    made = figure(3.4, 2.0).subplots()
    made.set(xlim=(0, 10), ylim=(0, 10), autoscale_on=False)
    return made


def test_a_lonely_name_stands_right_of_its_point(ax):
    assert names(ax, [("alone", (5.0, 5.0))]) == [(1, 0)]
    assert [text.get_text() for text in ax.texts] == ["alone"]


def test_names_of_one_point_stand_on_different_sides(ax):
    sides = names(ax, [(f"{i}", (5.0, 5.0)) for i in range(6)])
    assert len(set(sides)) == 6


def test_a_name_covers_no_other_point(ax):
    assert names(ax, [("left", (5.0, 5.0))], others=[(5.5, 5.0)]) == [(-1, 0)]


def test_a_name_rather_covers_others_than_a_point_that_has_a_name(ax):
    beside = (5.58, 5.0)
    twice = 2 * [(x, y) for x in (4.42, 5.0, 5.58) for y in (4.5, 5.0, 5.5) if (x, y) not in (beside, (5.0, 5.0))]
    assert names(ax, [("named", (5.0, 5.0))], [beside, *twice])[0] == (1, 0), "one point is covered on the right, two elsewhere"
    assert names(ax, [("named", (5.0, 5.0)), ("beside", beside)], twice)[0] != (1, 0)


def test_places_are_judged_by_the_limits_that_what_was_drawn_brings():
    fresh = figure(3.4, 2.0).subplots()
    fresh.plot([0, 1000], [0, 1000])
    # 5 apart in 1000: one place on paper, which limits of 0 to 1 would put far from each other
    sides = names(fresh, [("first", (500.0, 500.0)), ("second", (505.0, 500.0))])
    assert sides[0] != sides[1]


def test_nothing_to_name(ax):
    assert names(ax, []) == []
    assert not ax.texts


def test_points_too_near_to_one_another_have_no_names(ax):
    near = [("one", (5.0, 5.0)), ("two", (5.1, 5.0)), ("alone", (1.0, 1.0))]
    assert names(ax, near, apart=9.0) == [None, None, (1, 0)]
    assert [text.get_text() for text in ax.texts] == ["alone"]
