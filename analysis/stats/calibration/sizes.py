"""Coverage of the limits of effect sizes, of paired shares and of equivalence; and power where it can be known otherwise."""

from typing import Any

import numpy as np
from scipy.stats import norm

from analysis.stats.calibration.samples import mentions, proneness
from analysis.stats.calibration.simulation import Claim, Simulation, seed_of
from analysis.stats.effects import cliffs_delta, rate_ratio, superiority
from analysis.stats.equivalence import paired_equivalence
from analysis.stats.mcnemar import mcnemar
from analysis.stats.power import discordant, mcnemar_p

_IMAGES = 40


def _options(rng: np.random.Generator) -> dict[str, Any]:
    return {"resamples": 499, "seed": seed_of(rng)}


def _dominance(rng):
    scene = rng.normal(size=(_IMAGES, 1))
    treated, control = scene + 0.5 + rng.normal(size=(_IMAGES, 1)), scene + rng.normal(size=(_IMAGES, 1))
    other = np.sqrt(2) * rng.normal(size=(30, 1))
    across, won = 2 * norm.cdf(0.25) - 1, norm.cdf(0.5 / np.sqrt(2))
    together = cliffs_delta(treated, control, paired=True, **_options(rng))
    apart = cliffs_delta(treated, other, paired=False, **_options(rng))
    images = superiority(treated, control, **_options(rng))
    pairs = ((together, across), (apart, across), (images, won))
    return [found.low[0] <= truth <= found.high[0] for found, truth in pairs]


def _ratios(rng):
    prone = proneness(rng, _IMAGES)
    arms = mentions(rng, prone, 0.3), mentions(rng, prone, 0.2)
    others = mentions(rng, proneness(rng, _IMAGES), 0.2)
    found = rate_ratio(*arms, paired=True, **_options(rng)), rate_ratio(arms[0], others, paired=False, **_options(rng))
    return [one.low[0] <= 1.5 <= one.high[0] for one in found]


def _shares(rng):
    sample = discordant(0.2)(rng, 60, 0.06)
    found = mcnemar(sample[:, 0], sample[:, 1])
    same = discordant(0.2)(rng, 500, 0.0)
    return found.low <= 0.06 <= found.high, mcnemar_p(same) <= 0.05


def _margins(rng):
    found = paired_equivalence(rng.normal(0.4, 1, (60, 1)), np.zeros((60, 1)), 0.4)
    return (bool(found.equivalent[0]),)


def _chance(rng):
    return [mcnemar_p(discordant(0.2)(rng, 500, points)) <= 0.05 for points in (0.08, 0.04)]


SIMULATIONS = (
    Simulation(
        "dominance",
        "40 images in two arms that share an image effect, moved by half of the noise; 30 other images",
        (
            Claim("effects.cliffs_delta: paired", "coverage"),
            Claim("effects.cliffs_delta: two groups", "coverage"),
            Claim("effects.superiority", "coverage"),
        ),
        _dominance,
        1000,
    ),
    Simulation(
        "ratio of rates",
        "40 images, about 7 mentions each, rates 0.3 and 0.2",
        (Claim("effects.rate_ratio: paired", "coverage"), Claim("effects.rate_ratio: two groups", "coverage")),
        _ratios,
        1000,
    ),
    Simulation(
        "paired shares",
        "60 images that differ on a fifth, by 6 points; level: 500 images, no difference",
        (Claim("mcnemar.mcnemar: interval", "coverage", (0.92, 0.98)), Claim("mcnemar.mcnemar: p", "conservative")),
        _shares,
        1000,
    ),
    Simulation(
        "equivalence at its margin",
        "60 images whose true difference is the margin, 0.4 of the spread",
        (Claim("equivalence.paired_equivalence", "level"),),
        _margins,
        2000,
    ),
    Simulation(
        "power of McNemar's test",
        "500 images, arms differ on a fifth, by 8 and by 4 points; the exact sum gives 98.2 % and 46.6 %",
        (Claim("power.power: 8 points", "power", (0.97, 0.99)), Claim("power.power: 4 points", "power", (0.44, 0.49))),
        _chance,
        1000,
    ),
)
