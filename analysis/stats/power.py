"""Power by simulation: how often would this test, on so many images, find an effect of this size?

Any generator of images and any test fit together. The generators here are the two that a question about images needs before it is asked:
a pilot's paired differences moved to an effect, and paired yes or no with a given share of images on which the arms differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binomtest

from analysis.stats.mcnemar import mcnemar
from analysis.stats.paired import DRAWS, sign_flip

Simulate = Callable[[np.random.Generator, int, float], Any]


@dataclass(frozen=True)
class Power:
    """Share of simulated samples in which the test rejects.

    Attributes
    ----------
    n, effect, alpha : images a sample, true effect in the generator's unit, level of the test
    rejected, replications : how many samples of how many
    rate, low, high : their share, with Wilson's 95 % limits, which are of the simulation alone
    """

    n: int
    effect: float
    alpha: float
    rejected: int
    replications: int

    @property
    def rate(self) -> float:
        return self.rejected / self.replications

    @property
    def low(self) -> float:
        return float(self._limits.low)

    @property
    def high(self) -> float:
        return float(self._limits.high)

    @property
    def _limits(self):
        return binomtest(self.rejected, self.replications).proportion_ci(0.95, method="wilson")


def power(
    simulate: Simulate,
    test: Callable[[Any], float],
    n: int,
    effect: float,
    *,
    replications: int = 1000,
    alpha: float = 0.05,
    seed: int = 0,
) -> Power:
    """Share of `replications` samples in which `test` gives p <= alpha; at effect 0 this is the test's level.

    Parameters
    ----------
    simulate : (generator, n, effect) -> a sample of n images; `shifted_pilot` and `discordant` make such
    test : sample -> p; a NaN is no rejection
    n : images a sample
    effect : in the generator's unit
    replications, seed : samples, each from its own generator, so that another effect meets the same chance (common random numbers)

    Raises
    ------
    ValueError : fewer than 2 images, no replication, or alpha not in (0, 1)
    """
    if n < 2:
        raise ValueError(f"power.n must be at least 2 images; got {n}.")
    if replications < 1:
        raise ValueError(f"power.replications must be positive; got {replications}.")
    if not 0 < alpha < 1:
        raise ValueError(f"power.alpha must lie in (0, 1); got {alpha}.")
    streams = np.random.SeedSequence(seed).spawn(replications)
    rejected = sum(test(simulate(np.random.default_rng(stream), n, effect)) <= alpha for stream in streams)
    return Power(n, float(effect), alpha, int(rejected), replications)


def detectable(
    simulate: Simulate,
    test: Callable[[Any], float],
    n: int,
    largest: float,
    *,
    wanted: float = 0.8,
    grain: float = 0.01,
    replications: int = 1000,
    alpha: float = 0.05,
    seed: int = 0,
) -> Power:
    """Smallest effect in (0, largest] that n images find with power `wanted`, by halving until the bracket is `grain` of `largest`.

    All effects meet the same simulated chance, so that power rises with the effect up to single samples. The result is the power at
    the effect found; its `rate` is at least `wanted`.

    Raises
    ------
    ValueError : `wanted` not in (alpha, 1), or not reached at `largest`
    """
    if not alpha < wanted < 1:
        raise ValueError(f"detectable.wanted must lie in (alpha, 1); got {wanted}.")

    def at(effect: float) -> Power:
        return power(simulate, test, n, effect, replications=replications, alpha=alpha, seed=seed)

    low, best = 0.0, at(largest)
    if best.rate < wanted:
        told = f"{largest} has {best.rate:.3g} at {n} images"
        raise ValueError(f"detectable.largest must be an effect that is found with power {wanted}; {told}.")
    while best.effect - low > grain * largest:
        middle = at((low + best.effect) / 2)
        low, best = (low, middle) if middle.rate >= wanted else (middle.effect, best)
    return best


def shifted_pilot(differences: Float[np.ndarray, " pilot"]) -> Simulate:
    """Generator: paired differences drawn from a pilot's with replacement, moved so that their mean is the effect, in their unit.

    The pilot's spread and tails are kept; that its spread is itself an estimate is not in the power.
    """
    pilot = differences[np.isfinite(differences)]
    if len(pilot) < 2:
        raise ValueError(f"shifted_pilot.differences must hold at least 2 images; got {len(pilot)}.")
    centred = pilot - pilot.mean()
    return lambda rng, n, effect: effect + centred[rng.integers(0, len(centred), n)]


def discordant(share: float) -> Simulate:
    """Generator: paired yes or no "image arm" (treated, control) that differ on a `share` of images; the effect is their difference.

    An image says yes under treatment only with probability (share + effect) / 2, under control only with (share - effect) / 2. What the
    other images say alike does not matter to McNemar's test; here they say no.
    """
    if not 0 < share <= 1:
        raise ValueError(f"discordant.share must lie in (0, 1]; got {share}.")

    def simulate(rng: np.random.Generator, n: int, effect: float) -> Bool[np.ndarray, "image arm"]:
        if abs(effect) > share:
            raise ValueError(f"discordant.effect cannot be larger than the share of images that differ; got {effect} of {share}.")
        place = rng.random(n)
        treated_only = (share + effect) / 2
        return np.stack([place < treated_only, (place >= treated_only) & (place < share)], axis=1)

    return simulate


def mcnemar_p(sample: Bool[np.ndarray, "image arm"]) -> float:
    """Test for `discordant`: McNemar's exact p."""
    return mcnemar(sample[:, 0], sample[:, 1]).p


def sign_flip_p(draws: int = DRAWS) -> Callable[[Float[np.ndarray, " image"]], float]:
    """Test for `shifted_pilot`: the sign-flip p of a zero mean; the same flips serve all samples of one size."""
    return lambda sample: float(sign_flip(sample[:, None], draws=draws)[0][0])
