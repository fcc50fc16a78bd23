"""Level and coverage of associations within images, logistic regressions, and times to a first event."""

from functools import cache
from typing import Any

import numpy as np

from analysis.stats.association import within_tau
from analysis.stats.calibration.samples import autoregressive, captions
from analysis.stats.calibration.simulation import Claim, Simulation, seed_of
from analysis.stats.lifetable import counts, table
from analysis.stats.regression import conditional_logit, gee_logistic
from analysis.stats.repeated import repeated_correlation
from analysis.stats.survival import hazard_ratio, survival

_TIME = 5


def _association(rng):
    image = np.repeat(np.arange(40), 20)
    x, y = (autoregressive(rng, 40, 20, 0.6).ravel() + rng.normal(size=40)[image] for _ in range(2))
    options: dict[str, Any] = {"resamples": 299, "seed": seed_of(rng)}
    tau, repeated = within_tau(x, y, image, **options), repeated_correlation(x, y, image, **options)
    return tau.p[0] <= 0.05, tau.low[0] <= 0 <= tau.high[0], repeated.low <= 0 <= repeated.high, repeated.p <= 0.05


def _regressions(rng):
    image = np.repeat(np.arange(40), 6)
    proneness, shared, score = rng.normal(size=40)[image], rng.normal(size=40)[image], rng.normal(size=240)
    null = rng.random(240) < 1 / (1 + np.exp(-proneness))
    gee = gee_logistic(null, {"score": shared}, image).effects["score"]
    told = rng.random(240) < 1 / (1 + np.exp(-(proneness + 0.7 * score)))
    within = conditional_logit(told, {"score": score}, image).effects["score"]
    nothing = conditional_logit(null, {"score": score}, image).effects["score"]
    return gee.p <= 0.05, nothing.p <= 0.05, within.low <= 0.7 <= within.high


@cache
def _incidence() -> float:
    """Share of captions with an error by `_TIME`, from 40,000 of them."""
    return float(table(counts(*captions(np.random.default_rng(99), 20_000), 8).sum(axis=(0, 1))).incidence[_TIME - 1])


def _times(rng):
    found = survival(*captions(rng, 50), horizon=8, resamples=299, draws=299, seed=seed_of(rng))
    free, incidence = (found.contrasts[0][name] for name in ("mean_free", "incidence"))
    band = found.curves["incidence"]
    return (
        free.p <= 0.05,
        incidence.p <= 0.05,
        free.low <= 0 <= free.high,
        band.low[0, _TIME - 1] <= _incidence() <= band.high[0, _TIME - 1],
    )


def _hazards(rng):
    return (hazard_ratio(*captions(rng, 40))[1][0].p <= 0.05,)


SIMULATIONS = (
    Simulation(
        "association within images",
        "40 images of 20 cases, two unrelated AR(1) series (0.6) with image effects",
        (
            Claim("association.within_tau: p", "level"),
            Claim("association.within_tau: interval", "coverage"),
            Claim("repeated.repeated_correlation: interval", "coverage"),
            Claim("repeated-measures correlation: its own p", "fails"),
        ),
        _association,
        400,
    ),
    Simulation(
        "logistic regressions",
        "40 images of 6 cases, image intercepts of spread 1; a score of the image without effect, one of the case with 0.7",
        (
            Claim("regression.gee_logistic: score of the image", "level"),
            Claim("regression.conditional_logit: no effect", "level"),
            Claim("regression.conditional_logit: effect of the case", "coverage"),
        ),
        _regressions,
        250,
    ),
    Simulation(
        "first events",
        "50 images in two arms of the same hazard, ends compete, proneness shared by the arms",
        (
            Claim("survival.survival: restricted mean", "level"),
            Claim("survival.survival: incidence", "conservative"),
            Claim("survival.survival: restricted mean", "coverage"),
            Claim("survival.survival: incidence band at 5", "coverage"),
        ),
        _times,
        500,
    ),
    Simulation(
        "hazard ratio",
        "40 images in two arms of the same hazard",
        (Claim("survival.hazard_ratio", "level"),),
        _hazards,
        300,
    ),
)
