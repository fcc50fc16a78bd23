"""What was planted is found: a coupling with its sign, one that is specific to objects, and position alone, which is none."""

import numpy as np
import pytest

from analysis.coupling import reduce as module
from analysis.coupling.names import WITHOUT_FIRST
from analysis.coupling.reduce import reduce
from analysis.coupling.results import results
from tests.analysis.objects.synthetic import annotations, recording


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    from analysis.stats.bootstrap import cluster_bca
    from analysis.stats.paired import sign_flip

    monkeypatch.setattr(module, "circular_shift_test", lambda series, images, seed: unpatched_test(series, images, draws=399, seed=seed))
    monkeypatch.setattr("analysis.question.families.cluster_bca", lambda s, n, **o: cluster_bca(s, n, **o | {"resamples": 199}))
    monkeypatch.setattr("analysis.question.families.sign_flip", lambda values, seed: sign_flip(values, draws=499, seed=seed))


unpatched_test = module.circular_shift_test


def found(images=24, regimes=("free",), **options):
    options = {"layers": 3, "steps": 50} | options
    made = {regime: recording(images=images, regime=regime, **options) for regime in regimes}
    data = reduce(made, annotations(images))
    return data, {row.name: row for row in results(data)}


@pytest.mark.slow
def test_a_planted_coupling_has_its_sign_in_every_set_and_a_p_of_turning():
    """Noise that lifts entropy and all objects: better, smaller ranks where entropy is high."""
    data, rows = found(coupling=0.8)
    for which in ("present", "hallucinated", "typical", "other"):
        row = rows[f"free/adjusted/{which}/baseline/band"]
        assert row.interval[1] < -0.1
        assert row.effect["p_turned"] <= 0.0026
        assert row.p == max(row.effect["p_turned"], row.effect["p_sign_flip"]) <= 0.01
        assert "ranks turned" in row.test
        assert row.effect["null_low"] < 0 < row.effect["null_high"]
    assert abs(rows["free/specific/present/baseline/band"].estimate) < 0.06
    assert rows["free/specific/present/baseline/band"].p_adjusted > 0.05
    assert "free/specific/other/baseline/band" not in rows
    assert set(data["place"].values) == {"0", "1", "2", "band", WITHOUT_FIRST}
    alone = rows[f"free/adjusted/present/baseline/{WITHOUT_FIRST}"]
    assert alone.estimate == pytest.approx(rows["free/adjusted/present/baseline/band"].estimate, abs=1e-4), "no row has a first token here"


@pytest.mark.slow
def test_a_sink_hides_a_coupling_and_is_left_out():
    """Most of the entropy is how much the first token takes, which says nothing of objects."""
    _, rows = found(coupling=0.8, sink=True)
    for which in ("present", "hallucinated"):
        whole, rest = (rows[f"free/adjusted/{which}/baseline/{place}"] for place in ("band", WITHOUT_FIRST))
        assert rest.interval[1] < -0.1
        assert rest.p <= 0.01
        assert abs(whole.estimate) < 0.1
        assert "places" not in rest.adjustment


@pytest.mark.slow
def test_couplings_of_either_sign_that_cancel_over_images_are_no_coupling():
    """Every caption has one, so that turning tells them from none; the mean over images is what is claimed."""
    data, _ = found(images=24, coupling=0.8)
    which = {"regime": "free", "kind": "adjusted", "set": "present"}
    data["rho"].loc[which] = np.where(np.arange(24) % 2, 1, -1) * data["rho"].sel(which)
    row = {row.name: row for row in results(data)}["free/adjusted/present/baseline/band"]
    assert row.effect["p_turned"] < 0.01
    assert row.interval[0] < 0 < row.interval[1]
    assert row.p > 0.05
    assert row.p_adjusted > 0.05


def test_a_coupling_of_some_objects_alone_is_specific_to_them():
    _, rows = found(specific=0.8)
    for which in ("present", "hallucinated"):
        assert rows[f"free/specific/{which}/baseline/band"].interval[1] < -0.1
        assert rows[f"free/specific/{which}/baseline/band"].p < 0.01
    assert rows["free/specific/typical/baseline/band"].p > 0.05
    assert rows["free/adjusted/other/baseline/band"].p > 0.05


@pytest.mark.slow
def test_position_alone_is_no_coupling_once_it_is_taken_out():
    """Entropy and every rank follow one bent curve of the step, and nothing else."""
    _, rows = found(position=0.5)
    for which in ("present", "typical", "other"):
        assert rows[f"free/plain/{which}/baseline/band"].estimate > 0.3
        assert rows[f"free/plain/{which}/baseline/band"].p_adjusted < 0.01
        assert abs(rows[f"free/adjusted/{which}/baseline/band"].estimate) < 0.08
        assert rows[f"free/adjusted/{which}/baseline/band"].p_adjusted > 0.05
    above = rows["free/cosine - permuted/present/baseline/band"]
    assert above.estimate > 0
    assert above.p_adjusted < 0.05  # which is why the cosine's excess over its own null is no evidence either


@pytest.mark.slow
def test_cosines_are_high_where_nothing_is_related():
    _, rows = found()
    for which in ("present", "other"):
        kinds = (("cosine", "band"), ("permuted", "band"), ("constant", "any"))
        cosine, permuted, constant = (rows[f"free/{kind}/{which}/baseline/{at}"] for kind, at in kinds)
        assert cosine.estimate > 0.8
        assert cosine.role == permuted.role == constant.role == "descriptive"
        assert cosine.estimate == pytest.approx(permuted.estimate, abs=0.01)
        assert cosine.estimate == pytest.approx(constant.estimate, abs=0.02)


@pytest.mark.slow
def test_primary_outcomes_come_first_and_arms_that_do_not_differ_are_not_told_apart():
    _, rows = found(images=12, regimes=("free", "replay"), coupling=0.5)
    assert list(rows)[:3] == [
        "free/adjusted/hallucinated/baseline/band",
        "free/adjusted/present/baseline/band",
        "replay/adjusted/hallucinated/kvsmooth - baseline/band",
    ]
    assert {row.adjustment for row in list(rows.values())[:3]} == {"Holm over 3 primary outcomes"}
    assert [row.role for row in rows.values()].count("primary") == 3
    assert list(rows.values())[2].p > 0.05


def test_short_captions_are_left_out():
    lengths = np.full((2, 8), 40)
    lengths[0, 2] = 6
    data = reduce({"free": recording(images=8, steps=40, lengths=lengths, layers=3)}, annotations(8))
    rho = data["rho"].sel(regime="free", kind="adjusted", set="other", place="0")
    assert np.isnan(rho.sel(arm="baseline").values).nonzero()[0].tolist() == [2]
    assert np.isfinite(rho.sel(arm="kvsmooth").values).all()
    assert data["steps"].values[0, 0, 2] == 0
