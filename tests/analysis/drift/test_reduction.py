"""What recordings are reduced to, against slow means, scipy and uniform attention."""

import json

import numpy as np
import pytest
from scipy import stats

from analysis.drift.__main__ import QUESTION, exclusions
from analysis.drift.quantities import GROUPS, QUANTITIES, available
from analysis.drift.reduce import _half, reduce
from kvsmooth import spans
from tests.analysis.synthetic import recording

pytestmark = pytest.mark.usefixtures("few_resamples")


def only(made, *names):
    """A recording of these variables, `rate` to tell the smoothed layers: the other quantities have no part in a test of one."""
    return made[[*names, "n_keys", "n_steps"]]


@pytest.mark.slow
def test_summary_equals_a_slow_mean_over_common_steps():
    made = recording(5, 30, regime="free", lengths=np.array([[30, 20, 12, 30, 25], [10, 30, 12, 30, 4]]))
    found = reduce({"free": only(made, "row_entropy")}, min_steps=8)
    assert exclusions(found)["free"]["too_short"] == [4]
    for image, steps in enumerate((10, 20, 12, 30)):
        slow = made["row_entropy"].values[1, image, 1:steps, 3].mean()
        assert found["mean"].sel(regime="free", arm="kvsmooth", quantity="entropy").values[image, 3] == pytest.approx(slow, abs=1e-5)
    assert np.isnan(found["mean"].sel(regime="free", quantity="entropy").values[:, 4]).all()


@pytest.mark.slow
def test_trend_equals_scipy_on_the_band():
    made = recording(3, 25)
    found = reduce({"replay": only(made, "row_entropy", "rate")}).sel(regime="replay", arm="baseline", quantity="entropy")
    series = made["row_entropy"].values[0, 1, 1:, :, :].mean(axis=-1)[:, [2, 3, 4]].mean(axis=-1)
    assert float(found["band_tau"][1]) == pytest.approx(stats.kendalltau(np.arange(24), series).statistic, abs=1e-6)
    assert float(found["band_slope"][1]) == pytest.approx(100 * stats.theilslopes(series, np.arange(24)).slope, abs=1e-5)
    for name, half in (("early", slice(0, 12)), ("late", slice(12, 24))):
        assert float(found[f"band_slope_{name}"][1]) == pytest.approx(100 * stats.theilslopes(series[half], np.arange(12)).slope, abs=1e-5)


def test_the_difference_over_steps_is_of_pairs_that_both_still_speak():
    made = recording(6, 20, regime="free", lengths=np.array([[20, 15, 12, 20, 18, 9], [10, 20, 12, 20, 14, 20]]), drift_effect=-0.1)
    found = reduce({"free": only(made, "drift_image", "rate")}).sel(regime="free", quantity="drift_image")
    angle = made["drift_image"].sel(channels="masked").isel(layer=[2, 3, 4]).mean("layer").transpose("arm", "image", "step").values
    for step in (1, 9, 13, 17):
        pairs = angle[:, :, step][:, np.isfinite(angle[:, :, step]).all(0)]
        change = pairs[1] - pairs[0]
        assert int(found["change_pairs"][step]) == len(change)
        assert float(found["curve_change"][step]) == pytest.approx(change.mean(), abs=1e-5)
        if len(change) == 6:  # of few, some resamples have none
            assert float(found["curve_low_change"][step]) < change.mean() < float(found["curve_high_change"][step])


def test_excess_is_zero_for_uniform_attention():
    made = recording(2, 10)
    made["mass"] = (made["group_keys"] / made["n_keys"]).expand_dims(head=made["head"]).transpose(*made["mass"].dims)
    assert abs(QUANTITIES["excess_image"].of(made)).max() < 1e-6


def test_masses_sum_to_one():
    made = recording(2, 10)
    total = sum(QUANTITIES[f"mass_{group}"].of(made) for group in GROUPS)
    np.testing.assert_allclose(total.values, 1, atol=1e-5)
    assert tuple(spans.GROUPS) == GROUPS


@pytest.mark.slow
def test_clip_of_the_rates_is_read_from_the_arms_options():
    made = recording(4, 20)
    made.attrs["config"] = json.dumps({"arms": {"kvsmooth": {"lambda_ref": 0.9, "margin": 0.2}}})
    found = reduce({"replay": only(made, "rate")})
    assert float(found["rate_ceiling"][0]) == pytest.approx(1)
    assert float(found["share_ceiling"].max()) == 0
    assert float(found["rate_floor"][0]) == pytest.approx(0.7)


@pytest.mark.slow
def test_map_outlines_what_differs_only():
    made = recording(30, 41)
    made["drift_step"][1, :, 11:21, 3] += 0.2
    found = reduce({"replay": only(made, "drift_step")}).sel(regime="replay", quantity="drift_step")["map_p"]
    assert found.sel(layer=3, bin=11) < 0.05
    assert (found.where(~((found.layer == 3) & (found.bin == 11))) < 0.05).sum() == 0


@pytest.mark.slow
def test_a_file_of_reduced_data_reads_back(tmp_path):
    found = reduce({"replay": recording(3, 12)})
    QUESTION.write(found, tmp_path / "drift.nc")
    assert QUESTION.read(tmp_path / "drift.nc")[0].drop_attrs().identical(found.drop_attrs())


def test_quantities_need_only_their_own_variables():
    assert {q.name for q in available(recording(2, 9)[["row_entropy", "n_keys"]])} == {"entropy", "entropy_share"}


def test_a_curve_that_falls_and_rises_has_two_slopes():
    """Of five steps that are used, the first half has two: what is odd belongs to the second."""
    used = np.array([[False, True, True, True, True, True, False], [False, True, True, True, True, False, False]])
    assert _half(used, 0).sum(1).tolist() == [2, 2]
    assert _half(used, 1).sum(1).tolist() == [3, 2]
    assert (_half(used, 0) ^ _half(used, 1)).tolist() == used.tolist()
