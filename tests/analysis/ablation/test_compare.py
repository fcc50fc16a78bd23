"""Comparisons: differences by hand, exact tests against the slow ones, planted effects found and null cells left alone."""

import itertools
import math

import numpy as np
import pytest

from analysis.ablation.compare import pair_scores, results
from analysis.cells.arms import Arms, Pair, pairs
from analysis.cells.measures import MEASURES, TESTED, measures
from analysis.cells.names import BASELINE, PAPER, WITHOUT_FIRST
from analysis.stats.exchange import exchange_test
from analysis.stats.paired import sign_flip
from tests.analysis.cells import synthetic
from tests.analysis.resamples import few

pytestmark = pytest.mark.usefixtures("few_resamples")
RATES = {BASELINE: 0.1, PAPER: 0.3, "mean": 0.3, "keys only": 0.2, "values only": 0.12}
FAMILIES = {BASELINE: "reference", "keys only": "places", "values only": "places"}


@pytest.fixture(scope="module")
def made():
    return synthetic.arms(RATES, families=FAMILIES)


@pytest.fixture(scope="module")
def rows(made):
    with few():
        return {row.name: row for row in results(made)}


def test_every_cell_meets_the_baseline_and_the_paper_its_controls(made):
    found = {(pair.treated, pair.control) for pair in pairs(made)}
    assert found == {(name, BASELINE) for name in RATES if name != BASELINE} | {(PAPER, "mean")}


def test_differences_equal_those_of_the_sums(made, rows):
    total = {name: dict(zip(MEASURES, measures(made.counts[i].sum(0)), strict=True)) for i, name in enumerate(made.names)}
    for pair in pairs(made):
        for measure in TESTED:
            row = rows[f"{pair.name}/{measure}"]
            np.testing.assert_allclose(row.estimate, total[pair.treated][measure] - total[pair.control][measure], atol=1e-12)
    for measure in TESTED:
        both, keys, values, neither = (total[name][measure] for name in (PAPER, "keys only", "values only", BASELINE))
        np.testing.assert_allclose(rows[f"keys x values/interaction/{measure}"].estimate, both - keys - values + neither, atol=1e-12)


def test_matched_differences_equal_loops(made, rows):
    for pair in pairs(made):
        a, b = made.spoken(pair.treated), made.spoken(pair.control)
        above = below = 0
        for image in range(made.images):
            first, second = ([flag for flag in arm.absent[image] if flag >= 0] for arm in (a, b))
            m = min(len(first), len(second))
            above, below = above + sum(first[:m]) - sum(second[:m]), below + m
        assert rows[f"{pair.name}/chair_i_matched"].estimate == pytest.approx(above / below)


def test_where_captions_are_equally_long_matching_changes_nothing(made, rows):
    for pair in pairs(made):
        assert rows[f"{pair.name}/chair_i_matched"].estimate == pytest.approx(rows[f"{pair.name}/chair_i"].estimate)
        assert rows[f"{pair.name}/chair_s_matched"].estimate == pytest.approx(rows[f"{pair.name}/chair_s"].estimate)


def test_exchange_scores_sum_to_the_difference_and_flip_with_the_arms(made):
    pair, i = Pair(PAPER, BASELINE, "ladder"), list(MEASURES).index("chair_i")
    scores = pair_scores(made, pair)[:, i]
    above, below = (part[[made.index(PAPER), made.index(BASELINE)]][..., i].sum(1) for part in (made.above, made.below))
    expected = (above[0] / below[0] - above[1] / below[1]) * 2 * below[0] * below[1] / below.sum()
    assert scores.sum() == pytest.approx(expected)
    np.testing.assert_allclose(pair_scores(made, Pair(BASELINE, PAPER, "ladder"))[:, i], -scores)


def test_the_sign_flip_of_scores_is_the_exchange_of_arms():
    small = synthetic.arms({BASELINE: 0.2, PAPER: 0.4}, images=8, lengths={BASELINE: 5, PAPER: 8})
    i = list(MEASURES).index("chair_i")
    above, below = small.above[..., i], small.below[..., i]

    def size(swapped):
        treated = [(PAPER, BASELINE)[flag] for flag in swapped]
        ours = [(above[small.index(name), k], below[small.index(name), k]) for k, name in enumerate(treated)]
        total = np.sum(ours, axis=0)
        whole = np.array([above.sum(), below.sum()])
        pooled = whole[0] / whole[1]
        return abs((total[0] - pooled * total[1]) * 2 - (whole[0] - pooled * whole[1]))

    null = np.array([size(swapped) for swapped in itertools.product((0, 1), repeat=8)])
    expected = np.mean(null >= null[0] - 1e-9)
    found, _ = sign_flip(pair_scores(small, Pair(PAPER, BASELINE, "x"))[:, [i]])
    assert found[0] == pytest.approx(expected)


def test_rows_say_their_test_family_and_role(rows):
    row = rows[f"{PAPER} - {BASELINE}/chair_i"]
    assert (row.test, row.role, row.adjustment) == (exchange_test(row.n), "primary", "max-T over 2 cells of ladder")
    other = rows[f"{PAPER} - {BASELINE}/hazard"]
    assert (other.role, other.adjustment) == ("exploratory", "Holm over 2 cells of ladder")
    assert rows[f"{BASELINE}/chair_i"].role == "descriptive"
    assert {"p_mcnemar", "only_treated"} <= set(rows[f"{PAPER} - {BASELINE}/chair_s"].effect)
    assert {"equivalent", "p_tost", "margin"} <= set(rows[f"{PAPER} - mean/f1"].effect)


def test_a_planted_effect_is_found_and_a_twin_is_not(rows):
    assert rows[f"{PAPER} - {BASELINE}/chair_i"].p_adjusted < 0.01
    assert rows[f"{PAPER} - {BASELINE}/chair_i_matched"].p_adjusted < 0.01
    assert rows[f"{PAPER} - mean/chair_i"].p > 0.05
    low, high = rows[f"{PAPER} - mean/chair_i"].interval
    assert low < 0 < high


def test_longer_captions_of_the_same_rate_differ_unmatched_only():
    made = synthetic.arms({BASELINE: 0.05, PAPER: 0.05}, images=300, lengths={BASELINE: 4, PAPER: 16}, families={BASELINE: "reference"})
    rows = {row.name: row for row in results(made)}
    assert rows[f"{PAPER} - {BASELINE}/chair_s"].p < 0.01
    assert rows[f"{PAPER} - {BASELINE}/chair_s_matched"].p > 0.05


def test_a_cell_that_equals_the_baseline_has_no_test(made):
    same = Arms((BASELINE, PAPER), ("reference", "ladder"), made.counts[[0, 0]], made.absent[[0, 0]], made.word[[0, 0]])
    rows = {row.name: row for row in results(same)}
    row = rows[f"{PAPER} - {BASELINE}/chair_i"]
    assert row.estimate == 0
    assert math.isnan(row.p)
    assert row.reason


def test_dose_finds_a_slope_and_guidance_on_the_curve_adds_nothing():
    doses = {BASELINE: 0.05} | {f"constant {k / 10:g}": 0.05 + 0.03 * k for k in range(1, 10)}
    guided = {PAPER: 0.05 + 0.03 * 6}
    rate = {name: float(name.split()[1]) for name in doses if name != BASELINE} | {BASELINE: 0.0, PAPER: 0.6}
    families = dict.fromkeys(doses, "dose") | {BASELINE: "reference"}
    made = synthetic.arms(doses | guided, images=200, rate=rate, families=families)
    rows = {row.name: row for row in results(made)}
    assert rows["dose/slope/chair_i"].estimate == pytest.approx(0.3, abs=0.06)
    assert rows["dose/slope/chair_i"].p < 0.001
    assert rows["dose/tau/chair_i"].estimate > 0.8
    low, high = rows[f"{PAPER} - constant of the same mean rate/off the curve/chair_i"].interval
    assert low < 0 < high
    level = rows[f"{PAPER}/chair_i"].estimate - rows["constant 0.6/chair_i"].estimate
    assert rows[f"{PAPER} - constant of the same mean rate/off the curve/chair_i"].estimate == pytest.approx(level)


@pytest.mark.slow
def test_corrected_tests_hold_their_level_on_cells_that_do_nothing():
    names = {BASELINE: 0.15} | {f"cell {k}": 0.15 for k in range(6)}
    rejected = {"family": 0, "one": 0}
    runs = 200
    for seed in range(runs):
        made = synthetic.arms(names, images=40, seed=seed, families={BASELINE: "reference"})
        i = list(MEASURES).index("chair_i")
        scores = np.stack([pair_scores(made, pair)[:, i] for pair in pairs(made)], axis=1)
        p, corrected = sign_flip(scores, draws=999, seed=seed)
        rejected["family"] += corrected.min() < 0.05
        rejected["one"] += p[0] < 0.05
    # binomial limits at 200 runs of a true 0.05
    assert rejected["one"] / runs < 0.095
    assert rejected["family"] / runs < 0.095


def test_the_paper_meets_its_score_without_the_first_token_and_no_other_row_changes():
    rates = {BASELINE: 0.3, PAPER: 0.2, "mean": 0.25, "key_norm": 0.3}
    families = {BASELINE: "reference", "key_norm": "detectors", WITHOUT_FIRST: "first"}
    without, beside = (synthetic.arms(own, families=families) for own in (rates, rates | {WITHOUT_FIRST: 0.1}))
    pair = f"{PAPER} - {WITHOUT_FIRST}"
    before, after = ({row.name: row for row in results(one)} for one in (without, beside))
    assert {name for name in after if name.startswith(pair)} == {
        name.replace("mean", WITHOUT_FIRST) for name in before if " - mean/" in name
    }
    assert after[f"{pair}/chair_i"].estimate > 0
    assert after[f"{pair}/chair_i"].p_adjusted < 0.05
    for name, row in before.items():
        assert (after[name].estimate, after[name].p_adjusted) == pytest.approx((row.estimate, row.p_adjusted), nan_ok=True)
