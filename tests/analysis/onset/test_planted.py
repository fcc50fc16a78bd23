"""A confound by position alone is no onset and no detector; a planted onset is found, at its offsets."""

import json

import numpy as np
import pytest

from analysis.onset.names import PRIMARY, SCORES, STRATUM
from analysis.onset.reduce import reduce
from analysis.onset.results import results
from analysis.onset.series import first_mentions, scores
from analysis.stats.discrimination import discriminate
from tests.analysis.onset.planted import planted
from tests.analysis.resamples import few


def rows_of(**options):
    with few():
        rows, curves = results(reduce(*planted(**options)))
    return {row.name: row for row in rows}, curves


@pytest.fixture(scope="module")
def confounded():
    """Entropy rises along the caption, and so does hallucination; nothing else ties them."""
    return rows_of(position=0.03, seed=4, images=60, layers=4)


@pytest.fixture(scope="module")
def erupting():
    return rows_of(onset=0.3, seed=6, images=60, layers=4)


class TestConfound:
    @pytest.mark.slow
    def test_pooled_is_fooled_and_stratified_is_not(self, confounded):
        rows, _ = confounded
        pooled, same = (rows[f"auroc/{form}/entropy/baseline"] for form in ("pooled", "stratified"))
        assert pooled.interval[0] > 0.55
        assert same.interval[0] < 0.5 < same.interval[1]
        assert rows["auroc/within/entropy/baseline"].estimate > 0.6  # position differs within an image, too

    def test_no_aligned_difference(self, confounded):
        rows, _ = confounded
        found = [rows[f"aligned/entropy/baseline/{offset}"] for offset in range(-20, 21)]
        assert min(row.p_adjusted for row in found) > 0.05
        assert min(row.effect["permutation p, max-T"] for row in found) > 0.05
        assert rows[PRIMARY[2]].p > 0.05

    def test_odds_with_position_held_fixed(self, confounded):
        row = confounded[0]["odds/gee/entropy/baseline"]
        assert row.interval[0] < 1 < row.interval[1]

    def test_arms_that_do_not_differ_have_the_same_time(self, confounded):
        rows, curves = confounded
        row = rows["survival/restricted mean/kvsmooth - baseline"]
        assert row.interval[0] < 0 < row.interval[1]
        compared = [row for name, row in rows.items() if name.startswith("survival/") and row.test and row.role == "exploratory"]
        assert {row.adjustment for row in compared} == {"Holm over 8 comparisons of times"}
        assert all(row.p_adjusted >= row.p for row in compared)
        assert {(one["clock"], one["curve"]) for one in curves} == {
            (clock, curve) for clock in ("tokens", "mentions") for curve in ("incidence", "survival")
        }


@pytest.mark.slow
class TestOnset:
    def test_is_found_at_its_offsets_and_nowhere_else(self, erupting):
        rows, _ = erupting
        at = [rows[f"aligned/entropy/baseline/{offset}"] for offset in range(-5, 1)]
        assert max(row.p_adjusted for row in at) < 0.01
        assert np.mean([row.estimate for row in at]) == pytest.approx(0.3, abs=0.08)
        assert rows[PRIMARY[2]].p_adjusted < 0.01
        assert rows["aligned/excess/baseline/before"].p_adjusted > 0.05

    def test_is_found_by_the_detector_in_every_form(self, erupting):
        rows, _ = erupting
        for form in ("pooled", "within", "stratified"):
            row = rows[f"auroc/{form}/entropy/baseline"]
            assert row.interval[0] > 0.55
            assert row.effect["prevalence"] > 0.2
        assert rows["odds/conditional/entropy/baseline"].interval[0] > 1.2

    def test_outcomes_named_in_advance_come_first(self, erupting):
        assert tuple(erupting[0])[: len(PRIMARY)] == PRIMARY
        assert {erupting[0][name].role for name in PRIMARY} == {"primary"}


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples")
def test_strange_tables_give_reasons_not_errors():
    made, table = planted(images=12)
    for kept in (table[:0], table[table["present"]], table[table["arm"] == "baseline"], table[table["image"] == 3]):
        rows, _ = results(reduce(made, kept))
        for row in rows:
            assert row.reason or row.role == "descriptive" or np.isfinite(row.p), row.name


@pytest.mark.slow
def test_stratified_auroc_of_a_confound_covers_one_half():
    covered = []
    for seed in range(20):
        made, table = planted(position=0.03, seed=100 + seed, images=40)
        mentions = first_mentions(table[table["arm"] == "baseline"], made, np.arange(40))
        score, _ = scores(made, mentions, np.array([False, False, True, True, True, False]))
        absent, stratum = mentions["absent"].values, mentions["step"].values // STRATUM
        entropy = score[:, list(SCORES).index("entropy")].astype(float)
        found = discriminate(entropy, absent, mentions["image_index"].values, stratum, form="stratified", resamples=499)
        covered.append(found.low < 0.5 < found.high)
    assert np.mean(covered) >= 0.8  # 0.95 expected of 20; 0.8 is three standard errors below


def test_counts_are_told():
    found = json.loads(reduce(*planted(images=10)).attrs["counted"])
    assert found["repeated"] == {"baseline": 10, "kvsmooth": 10}
    assert found["first"] == {"baseline": 90, "kvsmooth": 90}
