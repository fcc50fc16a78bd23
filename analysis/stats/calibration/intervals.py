"""Coverage of the cluster BCa interval for the statistics that it is used with."""

import numpy as np
from scipy.stats import gamma, norm

from analysis.stats.bootstrap import between, cluster_bca, difference, mean, median, ratio, unpaired_bca
from analysis.stats.calibration.samples import labelled, mentions, proneness, tokens
from analysis.stats.calibration.simulation import Claim, Simulation, seed_of
from analysis.stats.concordance import auroc, concordance

_IMAGES, _RESAMPLES = 40, 499


def _options(rng: np.random.Generator) -> dict[str, int]:
    return {"resamples": _RESAMPLES, "seed": seed_of(rng)}


def _means(rng):
    sample = tokens(rng, _IMAGES, 30)
    found = cluster_bca(mean(sample.mean(axis=1, keepdims=True)), _IMAGES, **_options(rng))
    as_units = abs(sample.mean()) > 1.96 * sample.std(ddof=1) / np.sqrt(sample.size)
    return found.low[0] <= 0 <= found.high[0], as_units


def _rates(rng):
    prone = proneness(rng, _IMAGES)
    first, second = (ratio(*mentions(rng, prone, rate)) for rate in (0.3, 0.2))
    one = cluster_bca(first, _IMAGES, **_options(rng))
    apart = cluster_bca(difference(first, second), _IMAGES, **_options(rng))
    return one.low[0] <= 0.3 <= one.high[0], apart.low[0] <= 0.1 <= apart.high[0]


def _medians(rng):
    found = cluster_bca(median(rng.gamma(2, size=(_IMAGES, 1))), _IMAGES, **_options(rng))
    return (found.low[0] <= gamma.median(2) <= found.high[0],)


def _groups(rng):
    first, second = rng.gamma(2, size=(30, 1)), 2 * rng.normal(size=(_IMAGES, 1))
    found = unpaired_bca(between(mean(first), mean(second)), 30, _IMAGES, **_options(rng))
    return (found.low[0] <= 2 <= found.high[0],)


def _detectors(rng):
    score, positive, image, _ = labelled(rng, _IMAGES, effect=0.5)
    counted = [concordance(score, positive, image, _IMAGES)]
    pooled, within = (cluster_bca(auroc(counted, within=inside), _IMAGES, **_options(rng)) for inside in (False, True))
    return pooled.low[0] <= norm.cdf(0.25) <= pooled.high[0], within.low[0] <= norm.cdf(0.5 / np.sqrt(2)) <= within.high[0]


def _bca(what: str) -> Claim:
    return Claim(f"bootstrap.cluster_bca: {what}", "coverage")


SIMULATIONS = (
    Simulation(
        "interval of a mean",
        "40 images of 30 tokens, intraclass correlation 0.5",
        (_bca("mean"), Claim("tokens as units: the truth missed", "fails")),
        _means,
        1000,
    ),
    Simulation(
        "interval of rates",
        "40 images, about 7 mentions each, rates 0.3 and 0.2 that vary sevenfold between images",
        (_bca("ratio of sums"), _bca("paired difference of ratios")),
        _rates,
        1000,
    ),
    Simulation("interval of a median", "40 images, gamma(2)", (_bca("median"),), _medians, 1000),
    Simulation(
        "interval of two groups",
        "30 images of gamma(2) and 40 other ones of twice the spread of a normal",
        (Claim("bootstrap.unpaired_bca: difference of means", "coverage"),),
        _groups,
        1000,
    ),
    Simulation(
        "interval of an AUROC",
        "40 images of 20 cases, a quarter positive, intraclass correlation 0.5, effect 0.5",
        (_bca("AUROC, pooled"), _bca("AUROC, within images")),
        _detectors,
        1000,
    ),
)
