"""What was planted is found, what was not is not: walks and their alternatives, classes, and entropy against the mean state."""

import numpy as np
import pytest

from analysis.entropy.distance import reduce_distance
from analysis.entropy.names import PRIMARY
from analysis.entropy.random_walk import best_rate
from analysis.entropy.reduce import reduce
from analysis.entropy.results import results
from analysis.entropy.tokens import classes
from tests.analysis.entropy.planted import planted
from tests.analysis.resamples import few


def rows_of(replay=None, **options):
    """Rows of recordings in both regimes, of these options; `replay` holds those in which the replayed one differs."""
    made = planted(regime="free", **options)
    with few():
        return {row.name: row for row in results(reduce({"free": made, "replay": planted(**options | (replay or {}))}))}


def ratio(rows, lag):
    return rows[f"walk/variance ratio/free/baseline/lag {lag}/band"]


@pytest.fixture(scope="module")
def walking():
    return rows_of(kind="walk", seed=3)


class TestWalk:
    @pytest.mark.slow
    def test_a_random_walk_has_ratio_one_uncorrelated_increments_and_slope_one(self, walking):
        for lag in (2, 4, 8):
            assert ratio(walking, lag).interval[0] < 1 < ratio(walking, lag).interval[1]
            assert abs(walking[f"walk/autocorrelation/free/baseline/lag {lag}/band"].estimate) < 0.02
        assert walking["walk/slope/free/baseline/band"].estimate == pytest.approx(1, abs=0.03)
        assert walking["walk/best constant rate/free/baseline/band"].estimate < 0.05
        assert ratio(walking, 8).p > 0.05

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("kind", "variance_ratio", "autocorrelation", "rate"),
        [
            ("white", lambda lag: 1 / lag, -0.5, 1.0),
            ("ar1", lambda lag: (1 - 0.7**lag) / (lag * 0.3), -0.15, None),
            ("seen", lambda lag: (lag + 2) / (3 * lag), -1 / 3, (3 - 5**0.5) / 2),
        ],
    )
    def test_alternatives_have_their_known_values(self, kind, variance_ratio, autocorrelation, rate):
        rows = rows_of({"steps": 12}, kind=kind, seed=1)  # the walk is read off the free captions
        for lag in (2, 4, 8, 16):
            assert ratio(rows, lag).estimate == pytest.approx(variance_ratio(lag), abs=0.02)
            assert ratio(rows, lag).p < 0.001
        assert rows["walk/autocorrelation/free/baseline/lag 1/band"].estimate == pytest.approx(autocorrelation, abs=0.015)
        if rate is not None:
            assert rows["walk/best constant rate/free/baseline/band"].estimate == pytest.approx(rate, abs=0.03)

    def test_the_rate_filters_better_than_its_neighbours(self):
        draw = np.random.default_rng(0)
        truth = (0.5 * draw.normal(size=(400, 500))).cumsum(axis=1)
        seen = truth + draw.normal(size=truth.shape)
        increments = np.diff(seen, axis=1)
        rho = (increments[:, 1:] * increments[:, :-1]).mean() / (increments**2).mean()

        def error(rate):
            state, total = seen[:, 0], 0.0
            for t in range(1, seen.shape[1]):
                state = rate * state + (1 - rate) * seen[:, t]
                total += ((state - truth[:, t]) ** 2).mean()
            return total

        best = float(best_rate(np.array(rho)))
        assert error(best) < min(error(best - 0.05), error(best + 0.05))


class TestClasses:
    def test_nothing_planted_nothing_found(self, walking):
        row = walking["classes/centred/punctuation - words/baseline/band"]
        assert row.interval[0] < 0 < row.interval[1]
        assert row.role == "primary"

    @pytest.mark.slow
    def test_a_class_with_more_entropy_is_found_in_every_layer(self):
        rows = rows_of(punctuation=0.3, seed=2)
        assert rows[PRIMARY[0]].estimate == pytest.approx(0.3 * 0.96, abs=0.04)  # centring takes a little of it off
        assert all(rows[f"classes/centred/punctuation - words/baseline/layer {layer}"].p_adjusted < 0.01 for layer in range(5))
        assert all(rows[f"heads/centred/punctuation - words/baseline/layer {layer}/head 1"].p_adjusted < 0.01 for layer in range(5))


class TestDistance:
    def test_a_tie_to_another_series_is_not_made_up(self, walking):
        row = walking["distance/drift_mean/partial/baseline/band"]
        assert abs(row.estimate) < 0.12
        assert row.effect["circular shift p"] > 0.01

    @pytest.mark.slow
    def test_a_planted_tie_is_found(self):
        row = rows_of(coupling=0.8, seed=5)["distance/drift_mean/partial/baseline/band"]
        assert row.estimate > 0.4
        assert row.p_adjusted < 0.01
        assert row.effect["circular shift p"] < 0.01

    @pytest.mark.slow
    def test_shift_null_holds_its_level_for_autocorrelated_series(self):
        """60 samples of 8 images each."""
        drawn = planted(images=60 * 8, steps=40, layers=3, rho=0.8).isel(arm=[0])
        token_class, in_band = classes(drawn), np.array([False, True, True])
        found = [
            reduce_distance(drawn.isel(image=part), token_class[:, part], in_band, seed=number)
            for number, part in enumerate(np.arange(60 * 8).reshape(60, 8))
        ]
        rejected = [float(one["shift_p"].sel(arm="baseline", reference="drift_mean", place="band")) < 0.1 for one in found]
        assert 0 < np.mean(rejected) <= 0.2  # 0.1 expected; 0.2 is 2.6 standard errors above
