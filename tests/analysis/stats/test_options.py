"""Options reach what they are options of: level, resamples and seed the limits, draws and seed the p, in every function that takes them."""

import numpy as np
import pytest

from analysis.stats.association import mean_within, within_tau
from analysis.stats.bootstrap import between, cluster_bca, mean, ratio_bca, unpaired_bca
from analysis.stats.cluster_mass import cluster_mass, over_map
from analysis.stats.discrimination import discriminate
from analysis.stats.effects import cliffs_delta, rate_ratio, superiority
from analysis.stats.paired import compare, sign_flip
from analysis.stats.permutation import circular_shift, dot, within_image
from analysis.stats.repeated import repeated_correlation
from analysis.stats.survival import survival
from analysis.stats.swap import swap_test
from analysis.stats.trend import two_stage

IMAGES, LENGTH, DRAWS = 14, 6, 99  # 2 ** 14 flips are more than the draws: they are random
RNG = np.random.default_rng(0)
A, B = RNG.gamma(2, size=(2, IMAGES, 1)) + 0.1
X, Y = RNG.normal(size=(2, IMAGES * LENGTH))
IMAGE = np.repeat(np.arange(IMAGES), LENGTH)
LABEL = RNG.random(IMAGES * LENGTH) < 0.5
SERIES = RNG.normal(size=(IMAGES, LENGTH, 1))
TIME, KIND = RNG.integers(1, 5, (IMAGES, 2)), RNG.integers(0, 3, (IMAGES, 2))
MAP = RNG.normal(0.5, 1, (IMAGES, 2, 3))


def first_contrast(**options):
    return survival(TIME, KIND, **options).contrasts[0]["mean_free"]


def share(sums):
    return (sums[..., 0] / sums[..., 1])[None]


INTERVALS = {
    "cluster_bca": lambda **options: cluster_bca(mean(A), IMAGES, **options),
    "unpaired_bca": lambda **options: unpaired_bca(between(mean(A), mean(B)), IMAGES, IMAGES, **options),
    "ratio_bca": lambda **options: ratio_bca(A, B, **options),
    "mean_within": lambda **options: mean_within(X, Y, IMAGE, kind="pearson", **options),
    "within_tau": lambda **options: within_tau(X, Y, IMAGE, **options),
    "repeated_correlation": lambda **options: repeated_correlation(X, Y, IMAGE, **options),
    "cliffs_delta, paired": lambda **options: cliffs_delta(A, B, paired=True, **options),
    "cliffs_delta, unpaired": lambda **options: cliffs_delta(A, B, paired=False, **options),
    "superiority": lambda **options: superiority(A, B, **options),
    "rate_ratio, paired": lambda **options: rate_ratio((A, B), (B, A), paired=True, **options),
    "rate_ratio, unpaired": lambda **options: rate_ratio((A, B), (B, A), paired=False, **options),
    "discriminate": lambda **options: discriminate(X, LABEL, IMAGE, **options),
    "two_stage": lambda **options: two_stage(SERIES, "slope", **options),
    "survival, a curve": lambda **options: survival(TIME, KIND, draws=9, **options).curves["incidence"],
    "survival, a contrast": lambda **options: first_contrast(draws=9, **options),
}


@pytest.mark.parametrize("name", INTERVALS)
def test_limits_hang_on_level_resamples_and_seed(name):
    def limits(**other):
        found = INTERVALS[name](**{"level": 0.9, "resamples": 80, "seed": 0} | other)
        return np.ravel(found.low), np.ravel(found.high)

    low, high = limits()
    narrow = limits(level=0.5)
    known = np.isfinite(low)
    assert known.any()
    assert (narrow[0][known] >= low[known]).all()
    assert (narrow[1][known] <= high[known]).all()
    assert (narrow[1] - narrow[0])[known].sum() < 0.8 * (high - low)[known].sum()
    for other in ({"resamples": 300}, {"seed": 1}):
        assert not np.array_equal(limits(**other), (low, high), equal_nan=True), other


TESTS = {
    "sign_flip": lambda **options: sign_flip(A - B, **options)[0],
    "sign_flip, corrected": lambda **options: sign_flip(np.hstack((A - B, 2 - A)), **options)[1],
    "two_stage": lambda **options: two_stage(SERIES, "slope", resamples=9, **options).p,
    "cluster_mass": lambda **options: cluster_mass(MAP, forming=0.3, **options).p,
    "over_map, max_t": lambda **options: over_map(MAP, **options),
    "over_map, cluster_mass": lambda **options: over_map(MAP, "cluster_mass", **options),
    "swap_test": lambda **options: swap_test(
        np.hstack((A, B)), np.hstack((B, A)), lambda sums: (sums[..., 0] / sums[..., 1])[None], **options
    ),
    "survival": lambda **options: np.array([first_contrast(resamples=9, **options).p]),
    "permutation, within images": lambda **options: within_image(dot, X[:, None], Y, IMAGE, **options).p,
    "permutation, circular shift": lambda **options: circular_shift(dot, X[:, None], Y, IMAGE, **options).p,
}


@pytest.mark.parametrize("name", TESTS)
def test_p_is_a_share_of_the_draws_and_of_the_sample_itself(name):
    """So it is never zero, and hangs on the seed."""
    every = [TESTS[name](draws=DRAWS, seed=seed) for seed in range(4)]
    counts = np.ravel(every) * (DRAWS + 1)
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-8)
    assert counts.min() >= 1
    assert len({tuple(np.ravel(one)) for one in every}) > 1


def test_a_comparison_draws_by_its_seed():
    wide = np.hstack((A, A + 0.3 * B))
    family = np.array([True, False])
    one, same, other = (compare(wide, np.hstack((B, B)), family, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.p_sign_flip, same.p_sign_flip)
    assert (one.p_sign_flip != other.p_sign_flip).all()
    assert one.p_max_t[0] != other.p_max_t[0]
