"""Each reduction against a slow loop or scipy."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from analysis.entropy.classes import contrast, reduce_classes
from analysis.entropy.distance import rank_correlations
from analysis.entropy.names import CLASSES
from analysis.entropy.random_walk import reduce_walk
from analysis.entropy.tokens import classes, kind
from analysis.question.families import FamilyColumns, rows_of, with_primaries
from tests.analysis.entropy.planted import LAGS, planted, states


def pieces(*rows):
    width = max(map(len, rows))
    filled = np.array([[["<s>", *row, *[""] * (width - len(row))] for row in rows]], dtype=object)
    return xr.Dataset({"piece_fed": (("arm", "image", "step"), filled)})


def named(found):
    return [CLASSES[i] if i >= 0 else "-" for i in found]


class TestTokens:
    def test_whole_word_pieces(self):
        row = ["▁In", "▁the", "▁kitchen", "▁stands", "▁a", "▁dog", ",", "▁exactly", "▁two", "▁cups", ".", "</s>"]
        expected = ["-"] + ["first"] * 4 + ["function", "object", "punctuation", "content", "function", "object", "punctuation", "-"]
        assert named(classes(pieces(row))[0, 0]) == expected

    def test_pieces_of_a_word_share_its_class_and_the_end_has_none(self):
        row = ["ĠOn", "Ġthe", "Ġleft", "Ġis", "Ġa", "Ġgir", "affe", ",", "Ġand", "Ġlum", "in", "ous", "."]
        found = named(classes(pieces(row, row[:6]))[0, 0])[5:]
        assert found == ["function", "object", "object", "punctuation", "function", "content", "content", "content", "punctuation"]
        assert named(classes(pieces(row, row[:6]))[0, 1])[7:] == ["-"] * 7

    def test_kinds(self):
        assert [CLASSES[kind(word)] for word in ("dogs", "The", "?!", "purple")] == ["object", "function", "punctuation", "content"]
        assert kind("</s>") == -1


def test_class_means_and_contrast_equal_loops():
    made = planted(images=5, steps=30, layers=4, punctuation=0.2)
    token_class = classes(made)
    found = reduce_classes(made, token_class, np.array([False, True, True, False]))
    entropy, keys = made["row_entropy"].values, made["n_keys"].values
    for arm, image in ((0, 3), (1, 0)):
        own = [t for t in range(30) if token_class[arm, image, t] == CLASSES.index("content")]
        share = np.mean([entropy[arm, image, t, 2].mean() / np.log(keys[arm, image, t, 2]) for t in own])
        assert float(found["class_mean"].sel(measure="share", **{"class": "content"}).values[arm, image, 2]) == pytest.approx(
            share, abs=1e-5
        )
        centred = {t: entropy[arm, image, t, 1] - entropy[arm, :, t, 1].mean(axis=0) for t in range(1, 30)}
        stops = [t for t in centred if token_class[arm, image, t] == CLASSES.index("punctuation")]
        words = [t for t in centred if token_class[arm, image, t] in (CLASSES.index("object"), CLASSES.index("content"))]
        expected = np.mean([centred[t] for t in stops], axis=0) - np.mean([centred[t] for t in words], axis=0)
        np.testing.assert_allclose(found["head_contrast"].values[arm, image, 1], expected, atol=1e-5)
        assert contrast(found, "centred", "punctuation - words")[arm, image, 1] == pytest.approx(expected.mean(), abs=1e-5)


def test_rank_correlations_equal_scipy_and_a_regression_for_every_turn():
    draw = np.random.default_rng(0)
    x, y, steps = draw.normal(size=(17, 2)), draw.normal(size=(17, 3, 2)), np.arange(4, 21)
    plain, shifted = rank_correlations(x, y, steps)
    assert plain[1, 0] == pytest.approx(stats.spearmanr(x[:, 0], y[:, 1, 0]).statistic)

    def left(values):
        line = np.polyfit(stats.rankdata(steps), values, 1)
        return values - np.polyval(line, stats.rankdata(steps))

    for turn in (0, 1, 9):
        turned = np.roll(stats.rankdata(x[:, 1]), turn)
        expected = np.corrcoef(left(turned), left(stats.rankdata(y[:, 2, 1])))[0, 1]
        assert shifted[turn, 2, 1] == pytest.approx(expected)


def test_walk_sums_equal_loops_over_the_states():
    images, steps, layers, channels = 3, 20, 2, 4
    made = planted(images=images, steps=steps, layers=layers, kind="ar1", channels=channels, seed=7)
    hidden = states("ar1", images, steps, channels, layers, np.random.default_rng(7))  # drawn first, so these are the planted ones
    found = reduce_walk(made, np.array([True, True]), 5).sel(arm="baseline")
    lag, number = 4, LAGS.index(4)
    for image in range(images):
        # the generator draws after the states of the same seed, so `planted` holds these very states
        moved = [((hidden[image, t, 0] - hidden[image, t - lag, 0]) ** 2).sum() for t in range(lag + 1, steps)]
        single = [((hidden[image, t, 0] - hidden[image, t - 1, 0]) ** 2).sum() for t in range(lag + 1, steps)]
        inner = [
            (hidden[image, t, 0] - hidden[image, t - 1, 0]) @ (hidden[image, t - lag, 0] - hidden[image, t - lag - 1, 0])
            for t in range(lag + 2, steps)
        ]
        for name, expected in (("displacement", moved), ("increment", single), ("product", inner)):
            assert float(found[name].values[image, 0, number]) == pytest.approx(np.mean(expected), rel=1e-5)
    assert np.isnan(found["displacement"].values[:, :, LAGS.index(32)]).all()


class TestTested:
    def test_a_ratio_is_that_of_sums_and_a_mean_counts_present_images(self):
        top, bottom = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 4.0]]), np.array([[2.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
        rows = rows_of(
            [FamilyColumns(["a", "b"], top, "1", [{}, {}], bottom=bottom, null=1.0), FamilyColumns(["c"], top[:, 1:], "nat", [{}])]
        )
        assert [row.estimate for row in rows] == pytest.approx([9 / 8, 3.0, 3.0])
        assert [row.n for row in rows] == [3, 2, 2]

    def test_primaries_come_first_with_holm_over_them(self):
        draw = np.random.default_rng(0)
        values = draw.normal(size=(40, 3)) + np.array([0.0, 1.0, 0.0])
        rows = rows_of([FamilyColumns(["a", "b", "c"], values, "1", [{}] * 3)])
        found = with_primaries(rows, ("b", "c", "lost"))
        assert [row.name for row in found] == ["b", "c", "a"]
        assert found[0].p_adjusted == pytest.approx(2 * found[0].p)
        assert "1 not recorded" in found[0].adjustment
        assert [row.role for row in found] == ["primary", "primary", "exploratory"]

    def test_a_column_without_any_image_says_so_and_speaks_of_no_arms(self):
        (row,) = rows_of([FamilyColumns(["a"], np.full((4, 1), np.nan), "1", [{}])])
        assert row.reason == "no image has a value"

    def test_described_rows_are_not_tested(self):
        (row,) = rows_of([FamilyColumns(["a"], np.ones((4, 1)), "1", [{}], role="descriptive")])
        assert np.isnan(row.p)
        assert row.test == ""
