"""What was planted is found: a fall that is only being said, real trends, a trend that all tokens share, a growing variance."""

import numpy as np
import pytest

from analysis.logits import reduce as module
from analysis.logits.reduce import reduce
from analysis.logits.results import results
from analysis.objects.names import CURVES, PRIMARY, SETS
from analysis.stats.bootstrap import cluster_bca
from analysis.stats.paired import sign_flip
from tests.analysis.objects.synthetic import annotations, present_of, recording, recordings


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(module, "CURVE_RESAMPLES", 49)
    monkeypatch.setattr("analysis.question.families.cluster_bca", quick)
    monkeypatch.setattr("analysis.question.families.sign_flip", lambda values, seed: sign_flip(values, draws=1999, seed=seed))


def quick(statistic, images, **options):
    return cluster_bca(statistic, images, **options | {"resamples": 199})


def found(images=24, **options):
    data = reduce(recordings(images=images, **options), annotations(images))
    return data, {row.name: row for row in results(data)}


def rejects(row):
    return row.p_adjusted < 0.05


def test_a_fall_that_is_only_being_said_is_no_slope_of_what_is_unsaid():
    """Present objects lose 5 logits once they are said, and nothing else moves; every word of the caption peaks when it is said."""
    data, rows = found(drop=5.0)
    for outcome in ("logit", "centred", "relative", "logprob"):
        assert rows[f"free/{outcome}/present/baseline"].estimate < -4
        assert rejects(rows[f"free/{outcome}/present/baseline"])
        assert abs(rows[f"free/{outcome}/present unsaid/baseline"].estimate) < 0.6
        assert not rejects(rows[f"free/{outcome}/present unsaid/baseline"])
    assert rejects(rows["free/rank/present/baseline"])
    assert rejects(rows["free/variance/present/baseline"])  # some said, some not: that alone spreads the logits
    assert not rejects(rows["free/variance/present unsaid/baseline"])
    assert [row.name for row in rows.values() if row.role == "primary"] == ["/".join(key) for key in PRIMARY]
    at_risk = data["objects_at_risk"].sel(regime="free", arm="baseline")
    assert at_risk.sel(set="present").values[1] == 96
    assert at_risk.sel(set="present unsaid").values[-1] < 96


def test_trends_and_what_the_arm_changes_of_them_are_found_with_their_size():
    _, rows = found(trend={"hallucinated": 0.03, "present": -0.02}, treated_trend={"hallucinated": -0.05}, rho=0.3)
    assert rows["free/logprob/hallucinated unsaid/baseline"].estimate == pytest.approx(3, abs=1)
    assert rows["free/logprob/present unsaid/baseline"].estimate == pytest.approx(-2, abs=0.7)
    change = rows["replay/logprob/hallucinated unsaid/kvsmooth - baseline"]
    assert change.estimate == pytest.approx(-5, abs=1.3)
    assert change.role == "primary"
    assert change.adjustment == "Holm over 4 primary outcomes"
    assert rejects(change)
    assert not rejects(rows["replay/logprob/present unsaid/kvsmooth - baseline"])
    assert rejects(rows["free/relative/hallucinated - present/baseline"])


def test_a_shift_that_all_tokens_share_shows_in_raw_logits_and_in_the_vocabulary_alone():
    _, rows = found(shift_trend=0.05, peak=0.0)
    for which in ("present unsaid", "hallucinated unsaid", "other", "vocabulary"):
        assert rows[f"free/logit/{which}/baseline"].estimate == pytest.approx(5, abs=1.2)
        assert rejects(rows[f"free/logit/{which}/baseline"])
    for outcome in ("centred", "relative", "logprob"):
        assert not rejects(rows[f"free/{outcome}/present unsaid/baseline"])


def test_growing_variance_is_found_where_means_stay():
    _, rows = found(spread_trend=0.02, peak=0.0)
    assert rejects(rows["free/variance/other/baseline"])
    assert rows["free/variance/other/baseline"].estimate > 2
    assert not rejects(rows["free/relative/present unsaid/baseline"])


def test_short_captions_and_missing_steps_leave_reasons_not_numbers():
    lengths = np.full((2, 8), 40)
    lengths[1, 3] = 5
    data = reduce({"free": recording(images=8, steps=40, lengths=lengths)}, annotations(8))
    rows = {row.name: row for row in results(data)}
    assert data["steps_used"].values[0, 3] == 0
    assert rows["free/logit/present/baseline"].n == 7
    assert np.isfinite(data["slope"].sel(outcome="logit", set="other").values[0, :, 3]).sum() == 0
    assert not [row for row in rows.values() if row.role == "primary"]


def test_curves_are_means_over_objects_of_each_arms_own_text():
    free = recording(images=8)
    data = reduce({"free": free}, annotations(8)).sel(regime="free", arm="kvsmooth")
    assert list(data["curve"].values) == list(CURVES)
    logit = free["object_logit"].sel(arm="kvsmooth").values.astype(float)
    inside = present_of(8)
    assert data["step"].values[:2].tolist() == [3, 8]
    for b, first in ((0, 1), (6, 31)):
        steps = [logit[:, t][inside] for t in range(first, first + 5)]
        found = data["curve_mean"].sel(set="present").isel(step=b)
        assert float(found.sel(curve="logit")) == pytest.approx(np.mean([chosen.mean() for chosen in steps]), rel=1e-5)
        assert float(found.sel(curve="variance")) == pytest.approx(np.mean([chosen.var() for chosen in steps]), rel=1e-4)
    assert set(data["set"].values) == set(SETS)


@pytest.mark.slow
def test_level_of_the_primary_slopes_under_autocorrelation():
    """300 replications of 20 images without any trend, AR(1) at 0.7: the unsaid slope rejects in 5 % of them, binomial error 1.3 %."""
    from analysis.logits.slopes import own_level_slopes

    draw, hits = np.random.default_rng(5), 0
    for _ in range(300):
        noise = draw.normal(size=(20, 60, 5))
        for t in range(1, 60):
            noise[:, t] = 0.7 * noise[:, t - 1] + np.sqrt(0.51) * noise[:, t]
        used = np.arange(60)[None, :, None] < draw.integers(5, 60, (20, 1, 5))
        hits += sign_flip(own_level_slopes(noise, used, 8)[:, None], draws=499)[0][0] < 0.05
    assert 0.02 <= hits / 300 <= 0.09
