"""Scores, alignment, nulls and times, each against a slow loop."""

import warnings

import numpy as np
import pandas
import pytest
import xarray as xr

from analysis.onset.align import OFFSETS, PLACES, contributions, difference, matched, permuted, sums, windows
from analysis.onset.names import SCORES, STRATUM
from analysis.onset.reduce import reduce
from analysis.onset.series import first_mentions, scores
from analysis.onset.timing import times
from analysis.stats.lifetable import CENSORED, END, EVENT, MISSING
from tests.analysis.onset.planted import planted


def some_mentions(draw, images=12, steps=50, each=6):
    rows = []
    for image in range(images):
        for step in np.sort(draw.choice(np.arange(1, steps), each, replace=False)):
            rows.append((image, int(step), bool(draw.random() < 0.4)))
    return pandas.DataFrame(rows, columns=["image_index", "step", "absent"])


def slow_difference(values, mentions, place):
    """Mean over hallucinated minus weighted mean over true mentions of one offset, after step, caption and stratum."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # steps without any value
        values = values - np.nanmean(values, axis=0)
    left = []
    for _, mention in mentions.iterrows():
        own = values[mention.image_index]
        at = mention.step + int(place)
        left.append(own[at] - np.nanmean(own) if 0 <= at < len(own) else np.nan)
    left, stratum, absent = np.array(left), mentions["step"].values // STRATUM, mentions["absent"].values
    top, bottom = np.zeros(2), np.zeros(2)
    for one in range(len(left)):
        own = stratum == stratum[one]
        hits, misses = absent[own].sum(), (~absent[own]).sum()
        if np.isfinite(left[one]) and hits and misses:
            side = 0 if absent[one] else 1
            weight = 1.0 if absent[one] else hits / misses
            top[side] += weight * (left[one] - np.nanmean(left[own]))
            bottom[side] += weight
    return top[0] / bottom[0] - top[1] / bottom[1]


class TestAlignment:
    def test_difference_equals_a_loop_and_contributions_add_up_to_it(self):
        draw = np.random.default_rng(0)
        mentions, values = some_mentions(draw), draw.normal(size=(12, 50)).cumsum(axis=1)
        values[:, 45:] = np.nan
        found = matched(values, mentions)
        parts = sums(found, 12)
        made = difference(parts)(np.arange(12))
        for place in ("-20", "-3", "0", "7", "20"):
            assert made[PLACES.index(place)] == pytest.approx(slow_difference(values, mentions, place))
        np.testing.assert_allclose(np.nansum(contributions(parts), axis=0), made)

    def test_a_trend_along_captions_is_no_difference_where_long_ones_have_more_hallucinated_mentions(self):
        draw = np.random.default_rng(3)
        length = draw.integers(20, 50, 60)
        trend = np.where(np.arange(50) < length[:, None], 0.03 * np.arange(50.0), np.nan)
        rows = [(image, step, draw.random() < length[image] / 60) for image in range(60) for step in range(2, length[image] - 2, 4)]
        mentions = pandas.DataFrame(rows, columns=["image_index", "step", "absent"])
        np.testing.assert_allclose(difference(sums(matched(trend, mentions), 60))(np.arange(60)), 0, atol=1e-9)

    def test_windows_are_means_over_their_steps(self):
        draw = np.random.default_rng(1)
        mentions, values = some_mentions(draw), draw.normal(size=(12, 50))
        found = windows(values, mentions)
        step, image = mentions["step"][3], mentions["image_index"][3]
        assert found[3, PLACES.index("before")] == pytest.approx(values[image][max(0, step - 10) : step].mean())

    def test_permutations_keep_strata_and_centre_where_nothing_differs(self):
        draw = np.random.default_rng(2)
        mentions = some_mentions(draw, images=60)
        found = matched(draw.normal(size=(60, 50)), mentions)
        null = permuted(found, seed=1)
        seen = difference(sums(found, 60))(np.arange(60))
        assert np.abs(null[:, : len(OFFSETS)].mean(axis=0)).max() < 0.05
        assert abs(seen[len(OFFSETS)]) < 4 * null[:, len(OFFSETS)].std()

    def test_mentions_without_a_control_at_their_position_take_no_part(self):
        mentions = pandas.DataFrame({"image_index": [0, 1, 2], "step": [4, 5, 40], "absent": [True, False, True]})
        found = matched(np.random.default_rng(0).normal(size=(3, 50)), mentions)
        assert found.weight.tolist() == [1.0, 1.0, 0.0]


class TestScores:
    def test_scores_are_read_at_the_step_that_predicts_the_word_and_carry_their_sign(self):
        made, table = planted(images=4, steps=40)
        draw = np.random.default_rng(5)
        cosine = draw.random((2, 4, 40, 6)).astype(np.float32)
        made["patch_cosine"] = (("arm", "image", "step", "layer"), cosine)
        mentions = first_mentions(table, made, np.arange(4))
        in_band = np.array([False, False, True, True, True, False])
        found, entropy = scores(made, mentions, in_band)
        of = {name: found[:, i] for i, name in enumerate(SCORES)}
        for row in (0, 11, 30):
            arm, image, step = mentions.loc[row, ["arm_index", "image_index", "step"]].astype(int)
            heads = made["row_entropy"].values[arm, image, step].mean(axis=-1)
            assert of["entropy"][row] == pytest.approx(heads[2:5].mean(), abs=1e-5)
            np.testing.assert_allclose(entropy[row], heads, atol=1e-5)
            mass = made["mass"].sel(group="image").values[arm, image, step].mean(axis=-1)
            assert of["mass"][row] == pytest.approx(-mass[2:5].mean(), abs=1e-5)
            assert of["svar"][row] == pytest.approx(-mass[1:4].sum(), abs=1e-5)  # 5/32 to 18/32 of six layers
            assert of["cosine"][row] == pytest.approx(-cosine[arm, image, step, 3])
            assert of["cosine_word"][row] == pytest.approx(-cosine[arm, image, step + 1, 3])
            assert of["nll"][row] == pytest.approx(-made["log_probability"].values[arm, image, step])
            assert of["position"][row] == step
        assert np.isnan(of["jsd"]).all()  # not recorded

    def test_only_first_mentions_take_part_in_the_order_of_the_text(self):
        made, table = planted(images=3)
        found = first_mentions(table, made, np.array([0, 2]))
        assert set(found["image_index"]) == {0, 2}
        assert (found["repeated"] == 1).all()
        own = found[(found["arm_index"] == 1) & (found["image_index"] == 2)]
        assert own["step"].is_monotonic_increasing
        assert own["ordinal"].tolist() == list(range(len(own)))


class TestTimes:
    def data(self):
        mentions = {"image_index": [0, 0, 1, 1, 1], "arm_index": [0, 0, 0, 1, 1], "ordinal": [0, 1, 0, 0, 1], "absent": [0, 1, 0, 1, 1]}
        about = {"n_steps": [[30, 40, 50], [20, 25, 0]], "first_absent": [[12, -1, -1], [-1, 3, -1]], "cut": [[0, 0, 1], [0, 0, 0]]}
        return xr.Dataset(
            {name: (("mention",), values) for name, values in mentions.items()}
            | {name: (("arm", "image"), values) for name, values in about.items()}
        )

    def test_both_clocks_start_at_one_and_know_events_ends_and_cut_captions(self):
        found = times(self.data())
        tokens, named = found["tokens"], found["mentions"]
        assert tokens.time[:, 0].tolist() == [13, 40, 50]
        assert tokens.time[:2, 1].tolist() == [20, 4]
        assert tokens.kind.tolist() == [[EVENT, END], [END, EVENT], [CENSORED, MISSING]]
        assert named.time.tolist() == [[2, 1], [2, 1], [1, 1]]  # an end comes after the last object named


def test_images_with_a_short_caption_are_left_out_everywhere():
    made, table = planted(images=6)
    made["n_steps"][0, 2] = 4
    found = reduce(made, table)
    assert 2 not in found["image_index"].values
    assert float(found["sums"].sel(image=2).sum()) == 0
    assert found["n_steps"].values[:, 2].tolist() == [0, 0]
