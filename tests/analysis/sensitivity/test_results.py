"""Rows from captions with known rates: what moves, in which direction, beyond its dose or not, and the same as the default or not."""

import numpy as np
import pytest

from analysis.cells.measures import MEASURES
from analysis.cells.names import BASELINE, PAPER
from analysis.sensitivity.names import CONSTANT, OUTCOMES, PRIMARY
from analysis.sensitivity.results import Swept, results
from tests.analysis.cells import synthetic
from tests.analysis.resamples import few

MARGINS = {"chair_i": 0.05, "f1": 0.05}


def swept(images=150):
    """lambda_ref moves CHAIR_i along the curve of constants; margin does nothing; one window is worse than its dose."""
    curve = {f"constant {k / 10:g}": 0.05 + 0.04 * k for k in (1, 3, 5, 7, 9)}
    guided = {"lambda_ref 0.3": 0.17, PAPER: 0.25, "lambda_ref 0.9": 0.41, "margin 0": 0.25, "margin 0.3": 0.25, "window 5": 0.5}
    guided |= {"layers 0-2": 0.25, "layers 0-11": 0.25}
    rate = {name: float(name.split()[1]) for name in curve} | {BASELINE: 0.0, "lambda_ref 0.3": 0.3, "lambda_ref 0.9": 0.9}
    rate |= {name: 0.5 for name in guided if name not in rate}
    families = dict.fromkeys(curve, CONSTANT) | {name: name.split()[0] for name in guided} | {BASELINE: "reference", PAPER: "reference"}
    arms = synthetic.arms({BASELINE: 0.05} | curve | guided, images=images, rate=rate, families=families)
    grid = {
        "lambda_ref": [("lambda_ref 0.3", 0.3, 8), (PAPER, 0.7, 8), ("lambda_ref 0.9", 0.9, 8)],
        "margin": [("margin 0", 0.0, 8), (PAPER, 0.2, 8), ("margin 0.3", 0.3, 8)],
        "window": [("window 5", 5, 8), (PAPER, 15, 8)],
        "layers": [(PAPER, "3-10", 8), ("layers 0-2", "0-2", 3), ("layers 0-11", "0-11", 12)],
    }
    named = {option: [{"cell": cell, "value": value, "layers": n} for cell, value, n in settings] for option, settings in grid.items()}
    return Swept(arms, named, 12, 0.95, 0)


@pytest.fixture(scope="module")
def made():
    one = swept()
    with few():
        return one, {row.name: row for row in results(one, MARGINS)}


@pytest.mark.slow
def test_the_primary_outcomes_are_the_ranges_of_two_measures_and_nothing_else(made):
    _, rows = made
    primary = [name for name, row in rows.items() if row.role == "primary"]
    assert primary == [f"{option}/range/{measure}" for option in ("lambda_ref", "margin", "window", "layers") for measure in PRIMARY]
    assert all(rows[name].adjustment == "Holm over 4 options and 2 measures" for name in primary)
    p = np.array([rows[name].p for name in primary])
    order = np.argsort(p)
    holm = np.minimum(np.maximum.accumulate(p[order] * (8 - np.arange(8))), 1)
    assert [rows[primary[i]].p_adjusted for i in order] == pytest.approx(holm)


def test_what_moves_is_told_from_what_does_not(made):
    _, rows = made
    moved, still = rows["lambda_ref/range/chair_i"], rows["margin/range/chair_i"]
    level = [rows[f"{cell}/chair_i"].estimate for cell in ("lambda_ref 0.3", PAPER, "lambda_ref 0.9")]
    assert moved.estimate == pytest.approx(max(level) - min(level))
    assert moved.p_adjusted < 0.01
    assert moved.interval[0] > 0.1
    assert moved.where["lowest"] == "0.3"
    assert moved.where["highest"] == "0.9"
    assert still.p_adjusted > 0.05
    assert still.interval[0] == 0
    assert rows["lambda_ref/slope/chair_i"].p < 0.01
    assert rows["lambda_ref/slope/chair_i"].unit == "1 per unit of lambda_ref"
    assert "window/slope/chair_i" not in rows, "two settings have no trend"


def test_distance_from_the_curve_is_read_off_between_its_neighbours(made):
    one, rows = made
    chair, at = list(MEASURES).index("chair_i"), one.arms.index
    level = {name: one.values[at(name), chair] for name in one.arms.names}
    row = rows["window/5/off the curve/chair_i"]
    assert row.estimate == pytest.approx(level["window 5"] - level["constant 0.5"])
    assert row.p_adjusted < 0.01
    assert rows["lambda_ref/0.3/off the curve/chair_i"].p_adjusted > 0.05
    # three of twelve layers at 0.5 is 0.125 of all, between constants of 0 and 0.1 * 8/12 and 0.3 * 8/12
    share = (0.125 - 0.1 * 8 / 12) / (0.2 * 8 / 12)
    between = (1 - share) * level["constant 0.1"] + share * level["constant 0.3"]
    assert rows["layers/0-2/off the curve/chair_i"].estimate == pytest.approx(level["layers 0-2"] - between)
    assert rows["layers/0-2/off the curve/chair_i"].effect["amount"] == pytest.approx(0.125)


@pytest.mark.usefixtures("few_resamples")
def test_more_smoothing_than_any_constant_has_no_counterpart():
    one = swept(40)
    one.arms.counts[one.arms.index("layers 0-11"), :, -5:] *= 1.9  # a rate of 0.95 in all layers; the curve ends at 0.6
    row = {row.name: row for row in results(one, MARGINS)}["layers/0-11/off the curve/f1"]
    assert np.isnan(row.estimate)
    assert row.reason == "more smoothing than the largest constant rate"


def test_sameness_is_shown_by_two_one_sided_tests(made):
    _, rows = made
    assert rows["margin/0.3/minus the default/f1"].effect["equivalent"] == 1
    assert rows["window/5/minus the default/chair_i"].effect["equivalent"] == 0
    assert rows["window/5/minus the default/chair_i"].p > 0.5


def test_every_setting_is_set_against_no_smoothing_within_its_option(made):
    _, rows = made
    assert rows[f"margin 0.3 - {BASELINE}/chair_i"].adjustment == "max-T over 2 cells of margin"
    assert rows[f"{PAPER} - {BASELINE}/f1"].role == "exploratory"
    assert {f"lambda_ref/range/{measure}" for measure in OUTCOMES} <= set(rows)
