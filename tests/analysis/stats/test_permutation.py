"""Permutation within images and circular shifts, against every permutation of tiny data and loops that say what they do."""

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from analysis.stats import permutation
from analysis.stats.permutation import circular_shift, dot, pooled_auroc, standardised, within_auroc, within_image


def every_order(image):
    """All ways to exchange the cases of each image, as index arrays."""
    blocks = [np.flatnonzero(image == name) for name in np.unique(image)]
    for orders in itertools.product(*[itertools.permutations(block) for block in blocks]):
        taken = np.empty(len(image), dtype=int)
        for block, order in zip(blocks, orders, strict=True):
            taken[block] = order
        yield taken


def every_shift(image):
    blocks = [np.flatnonzero(image == name) for name in np.unique(image)]
    for shifts in itertools.product(*[range(len(block)) for block in blocks]):
        taken = np.empty(len(image), dtype=int)
        for block, shift in zip(blocks, shifts, strict=True):
            taken[block] = np.roll(block, -shift)
        yield taken


@pytest.fixture
def draw():
    return np.random.default_rng(8)


class TestAgainstAllPermutations:
    @pytest.mark.parametrize(("test", "every"), [(within_image, every_order), (circular_shift, every_shift)])
    def test_random_draws_agree_with_all_of_them(self, draw, test, every):
        image = np.array([3, 7, 3, 7, 3, 7, 3, 9, 9, 9])  # out of order, and not numbered from 0
        values, other = draw.normal(size=(10, 2)), draw.normal(size=10)
        null = np.array([other[taken] @ values for taken in every(image)])
        found = test(dot, values, other, image, draws=10_000)
        np.testing.assert_allclose(found.observed, other @ values)
        np.testing.assert_allclose(found.null_mean, null.mean(axis=0), atol=0.03)
        for limit, share in ((found.null_low, 0.025), (found.null_high, 0.975)):  # a quantile of few values lies on a step
            assert ((null < limit - 1e-9).mean(axis=0) <= share + 0.01).all()
            assert ((null <= limit + 1e-9).mean(axis=0) >= share - 0.01).all()
        np.testing.assert_allclose(found.z, (found.observed - null.mean(axis=0)) / null.std(axis=0), atol=0.03)
        far = np.abs(null - null.mean(axis=0))
        np.testing.assert_allclose(found.p, (far >= np.abs(found.observed - null.mean(axis=0)) - 1e-9).mean(axis=0), atol=0.03)
        largest = (far / null.std(axis=0)).max(axis=1)
        slow = [(largest >= abs(z) - 1e-9).mean() for z in (found.observed - null.mean(axis=0)) / null.std(axis=0)]
        np.testing.assert_allclose(found.p_max_t, slow, atol=0.03)

    def test_labels_stay_inside_their_stratum(self):
        image, stratum = np.repeat([0, 1], 4), np.tile([0, 0, 1, 1], 2)
        labels = np.array([1.0, 1, 2, 2, 3, 3, 4, 4])
        found = within_image(dot, np.arange(8.0)[:, None], labels, image, stratum, draws=20)
        assert found.reason == ("no permutation changes the statistic",)
        assert np.isnan([found.p, found.z, found.p_max_t]).all()


class TestAgainstTheDrawsThemselves:
    """What was drawn is kept; the p of each quantity is then counted draw by draw, the sample itself among them."""

    @pytest.fixture
    def sample(self, draw):
        image = np.array([3, 7, 3, 7, 3, 7, 3, 9, 9, 9])
        return draw.normal(size=(10, 3)), draw.integers(0, 3, 10).astype(float), image  # labels with ties: draws that equal the sample

    @pytest.mark.parametrize("test", [within_image, circular_shift])
    def test_every_number_is_that_of_a_loop_over_draws(self, sample, test):
        seen = []

        def kept(values, labels):
            seen.extend((labels @ values).tolist())
            return labels @ values

        found = test(kept, *sample, draws=60)
        *null, observed = seen
        assert len(null) == found.draws == 60
        every = [observed, *null]
        far = []
        for q in range(3):
            one = [row[q] for row in every]
            centre = sum(one) / 61
            spread = (sum((value - centre) ** 2 for value in one) / 61) ** 0.5
            far.append([abs(value - centre) / spread for value in one])
            drawn = np.array(one[1:])
            assert found.observed[q] == one[0]
            assert found.null_mean[q] == pytest.approx(drawn.mean())
            assert found.z[q] == pytest.approx((one[0] - drawn.mean()) / drawn.std())
            assert (found.null_low[q], found.null_high[q]) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
        for q in range(3):
            reached = [far[q][place] >= far[q][0] - 1e-9 for place in range(61)]
            largest = [max(far[other][place] for other in range(3)) >= far[q][0] - 1e-9 for place in range(61)]
            assert found.p[q] == pytest.approx(sum(reached) / 61)
            assert found.p_max_t[q] == pytest.approx(sum(largest) / 61)

    @pytest.mark.parametrize("test", [within_image, circular_shift])
    def test_draws_part_by_part_are_the_same(self, sample, test, monkeypatch):
        whole = test(dot, *sample, draws=60)
        for cells in (1, 79):  # a draw at a time, seven at a time
            monkeypatch.setattr(permutation, "_CELLS", cells)
            parts = test(dot, *sample, draws=60)
            np.testing.assert_allclose([parts.null_mean, parts.p, parts.p_max_t], [whole.null_mean, whole.p, whole.p_max_t])

    def test_a_statistic_that_some_draws_leave_undefined_is_not_tested(self, sample):
        def of(values, labels):
            return np.where((labels[:, :1] == 2) & (np.arange(3) == 1), np.nan, labels @ values)

        found = within_image(of, sample[0], np.array([0.0, *[1, 2] * 4, 1]), sample[2], draws=60)
        assert found.reason == ("", "the statistic is undefined under some permutations", "")
        for tested in (found.z, found.p, found.p_max_t):
            assert np.isnan(tested).tolist() == [False, True, False]
        assert np.isfinite(found.observed).all()


class TestStatistics:
    def test_dot_of_standardised_is_the_mean_correlation(self, draw):
        image = np.repeat(np.arange(5), [4, 9, 6, 3, 12])
        values, other = np.round(draw.normal(size=(34, 2)), 1), draw.normal(size=34)
        values[4:13, 0] = 0.3  # the second image does not vary there: 0
        for ranks, reference in ((False, stats.pearsonr), (True, stats.spearmanr)):
            ours = dot(standardised(values, image, ranks=ranks), standardised(other[:, None], image, ranks=ranks).T)[0]
            cases = [image == name for name in range(5)]
            slow = [[reference(values[c, q], other[c]).statistic if np.ptp(values[c, q]) else 0.0 for c in cases] for q in range(2)]
            np.testing.assert_allclose(ours, np.mean(slow, axis=1), atol=1e-12)

    def test_a_covariate_is_taken_out(self, draw):
        """Partial correlation by its textbook formula from the three plain ones."""
        image = np.zeros(30, dtype=int)
        position = np.arange(30.0)
        values, other = draw.normal(size=(30, 1)) + position[:, None] / 10, draw.normal(size=30) + position / 10
        for ranks, reference in ((False, stats.pearsonr), (True, stats.spearmanr)):
            ours = dot(standardised(values, image, position, ranks=ranks), standardised(other[:, None], image, position, ranks=ranks).T)
            xy, xt, yt = (reference(a, b).statistic for a, b in ((values[:, 0], other), (values[:, 0], position), (other, position)))
            assert ours[0, 0] == pytest.approx((xy - xt * yt) / np.sqrt((1 - xt**2) * (1 - yt**2)))

    def test_a_covariate_that_does_not_vary_in_an_image_takes_nothing_out_there(self, draw):
        image, values = np.repeat([0, 1], 6), draw.normal(size=(12, 2))
        position = np.where(image == 0, 0.1 + 0.2, np.arange(12.0))
        position[:3] = 0.3  # beside 0.1 + 0.2: varies by rounding alone
        for ranks in (False, True):
            found, plain = (
                standardised(values, image, np.where(image == 0, 0.3, position), ranks=ranks),
                standardised(values, image, ranks=ranks),
            )
            np.testing.assert_allclose(found[:6], plain[:6])
            assert not np.allclose(found[6:], plain[6:])
        np.testing.assert_allclose(standardised(values, image, position)[:6], standardised(values, image)[:6])

    def test_what_the_covariate_explains_leaves_nothing(self):
        left = standardised(np.arange(12.0)[:, None] * 3 + 1e6, np.repeat([0, 1], 6), np.arange(12.0))
        np.testing.assert_array_equal(left, 0)

    def test_auroc_equals_a_loop_over_pairs_and_sklearn(self, draw):
        image = np.repeat(np.arange(4), [5, 8, 3, 6])
        score, label = np.round(draw.normal(size=(22, 1)), 1), draw.random(22) < 0.4
        label[13:16] = True  # an image of one class forms no pair
        pairs = [(a, b) for a in np.flatnonzero(label) for b in np.flatnonzero(~label)]
        inside = [(score[a, 0] > score[b, 0]) + 0.5 * (score[a, 0] == score[b, 0]) for a, b in pairs if image[a] == image[b]]
        assert within_auroc(image)(score, label[None])[0, 0] == pytest.approx(np.mean(inside))
        assert pooled_auroc(score, label[None])[0, 0] == pytest.approx(roc_auc_score(label, score[:, 0]))


class TestCentre:
    def test_pooled_auroc_permuted_within_images_is_not_centred_at_a_half(self):
        """Images differ in their level of the score and in their share of positives; inside an image the score says nothing."""
        draw, image = np.random.default_rng(2), np.repeat(np.arange(60), 12)
        level = np.linspace(-1.5, 1.5, 60)[image]
        score, label = (level + draw.normal(size=720))[:, None], draw.random(720) < 1 / (1 + np.exp(-level))
        pooled, within = (within_image(auroc, score, label, image) for auroc in (pooled_auroc, within_auroc(image)))
        assert pooled.null_low[0] > 0.6
        assert pooled.observed[0] == pytest.approx(pooled.null_mean[0], abs=0.03)
        assert within.null_mean[0] == pytest.approx(0.5, abs=0.005)
        assert within.p[0] > 0.05


class TestBadInput:
    def test_what_has_no_test_says_why(self):
        nothing = within_image(dot, np.empty((0, 2)), np.empty(0), np.empty(0, dtype=int))
        assert nothing.reason == ("there are no cases",) * 2
        image = np.zeros(5, dtype=int)
        constant = within_image(within_auroc(image), np.arange(5.0)[:, None], np.ones(5, dtype=bool), image, draws=9)
        assert constant.reason == ("the statistic is undefined",)
        assert np.isnan([constant.p, constant.z]).all()

    def test_values_that_are_not_finite_are_refused(self):
        with pytest.raises(ValueError, match=r"permutation.values must be finite: leave such cases out; got 1"):
            within_image(dot, np.array([[1.0], [np.nan]]), np.zeros(2), np.zeros(2, dtype=int))
        with pytest.raises(ValueError, match=r"permutation.draws must be positive; got 0"):
            circular_shift(dot, np.ones((2, 1)), np.zeros(2), np.zeros(2, dtype=int), draws=0)


def test_an_association_within_images_is_found():
    draw, image = np.random.default_rng(4), np.repeat(np.arange(20), 15)
    values = draw.normal(size=(300, 3))
    other = 0.4 * values[:, 0] + draw.normal(size=300)
    scaled = standardised(values, image), standardised(other[:, None], image)[:, 0]
    for test in (within_image, circular_shift):
        found = test(dot, *scaled, image)
        assert found.p_max_t[0] == 1 / 1000
        assert found.z[0] > 4
        assert (found.p_max_t[1:] > 0.05).all()
