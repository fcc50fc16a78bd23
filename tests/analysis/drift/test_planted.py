"""The drift question on recordings whose truth is planted: found with its size, and nothing else found."""

import numpy as np
import pytest

from analysis.drift.reduce import reduce
from analysis.drift.results import PRIMARY, results
from tests.analysis.resamples import few
from tests.analysis.synthetic import recording

UNASKED = ["norm_hidden", "norm_key", "norm_value", "drift_step", "change_key", "change_value"]


def rows_of(*recordings, **options):
    """Rows by name of the reduced recordings, of what is asked about here."""
    return {row.name: row for row in results(reduce({r.attrs["regime"]: r.drop_vars(UNASKED) for r in recordings}, **options))}


@pytest.fixture(scope="module")
def planted():
    with few():
        return rows_of(
            recording(30, 60, entropy_effect=-0.1, entropy_trend=0.004, drift_effect=0.05, forgetting=0.003),
            recording(30, 60, regime="free", seed=1),
        )


class TestPlantedTruth:
    @pytest.mark.slow
    def test_effects_are_found_with_their_size(self, planted):
        entropy = planted["replay/entropy/mean/kvsmooth - baseline/band"]
        assert entropy.interval[0] < -0.1 < entropy.interval[1]
        assert entropy.p_adjusted < 0.01
        image = planted["replay/drift_image/mean/kvsmooth - baseline/layer 3"]
        assert image.interval[0] < 0.05 < image.interval[1]
        assert image.p_adjusted < 0.01

    def test_what_was_not_planted_is_not_found(self, planted):
        assert planted["replay/drift_prompt/mean/kvsmooth - baseline/band"].p > 0.01
        assert planted["replay/excess_image/slope/kvsmooth - baseline/band"].p > 0.01
        assert planted["free/entropy/mean/kvsmooth - baseline/band"].p > 0.01

    def test_trends_of_an_arm(self, planted):
        slope = planted["replay/entropy/slope/baseline/band"]
        assert slope.interval[0] < 0.4 < slope.interval[1]
        assert slope.unit == "nat per 100 tokens"
        assert planted["replay/entropy/tau/baseline/layer 4"].p_adjusted < 0.01

    def test_forgetting_is_told_from_dilution(self, planted):
        excess = planted["replay/excess_image/slope/baseline/band"]
        assert excess.interval[0] < -0.3 < excess.interval[1]
        assert excess.p < 0.01

    def test_dilution_alone_makes_mass_fall_but_not_its_excess(self, planted):
        assert planted["free/mass_image/tau/baseline/band"].estimate < -0.8
        assert planted["free/excess_image/slope/baseline/band"].p > 0.01

    def test_primaries_come_first_and_are_corrected_together(self, planted):
        first = list(planted.values())[: len(PRIMARY)]
        assert [(row.where["quantity"], row.where["statistic"]) for row in first] == list(PRIMARY)
        assert {row.role for row in first} == {"primary"}
        assert sorted(row.p_adjusted for row in first)[0] == pytest.approx(3 * min(row.p for row in first))
        assert sum(row.role == "primary" for row in planted.values()) == len(PRIMARY)

    def test_layers_below_the_smoothing_are_no_members_of_the_family(self, planted):
        untouched = planted["replay/entropy/mean/kvsmooth - baseline/layer 0"]
        assert untouched.estimate == 0
        assert untouched.reason == "all differences are zero"
        assert np.isnan(untouched.p)
        assert untouched.adjustment == "max-T over 4 layers"

    def test_what_has_no_layers_is_not_called_a_mean_of_the_smoothed_ones(self, planted):
        named = [row for row in planted.values() if row.where["quantity"] == "log_probability"]
        assert [row.name for row in named] == [f"{regime}/log_probability/mean/kvsmooth - baseline" for regime in ("replay", "free")]
        assert {"layer" in row.where for row in named} == {False}
        assert {row.unit for row in named} == {"nat"}

    def test_smoothing_is_described_not_tested(self, planted):
        row = planted["replay/rate/mean/kvsmooth/layer 3"]
        assert row.role == "descriptive"
        assert row.test == ""
        assert 0.5 < row.interval[0] < row.estimate < row.interval[1] < 0.9
        assert planted["replay/rate/mean/kvsmooth/layer 0"].n == 0
