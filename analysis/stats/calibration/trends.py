"""Level of trends in two stages on captions whose neighbouring steps resemble each other, beside Kendall's test of one caption."""

from functools import partial

import numpy as np
from scipy.stats import kendalltau

from analysis.stats.calibration.samples import autoregressive
from analysis.stats.calibration.simulation import Claim, Simulation, seed_of
from analysis.stats.trend import two_stage

_IMAGES, _STEPS = 20, 60
_SINGLE = {0.0: Claim("Kendall's test of one caption", "level"), 0.4: Claim("Kendall's test of one caption", "fails"),
           0.7: Claim("Kendall's test of one caption", "fails", (0.25, 1.0))}  # fmt: skip


def _trends(rho: float, rng: np.random.Generator):
    series = autoregressive(rng, _IMAGES, _STEPS, rho)
    ended = np.arange(_STEPS) >= rng.integers(_STEPS // 2, _STEPS + 1, _IMAGES)[:, None]
    values = np.where(ended, np.nan, series)[:, :, None]
    found = [two_stage(values, kind, resamples=199, draws=499, seed=seed_of(rng)) for kind in ("tau", "slope", "theil_sen")]
    single = kendalltau(np.arange(_STEPS), series[0]).pvalue
    return *[one.p[0] <= 0.05 for one in found], single <= 0.05


def _intervals(rng: np.random.Generator):
    rising = autoregressive(rng, 40, _STEPS, 0.7) + 0.01 * np.arange(_STEPS) * (1 + rng.normal(size=(40, 1)))
    found = two_stage(rising[:, :, None], "slope", per=100, resamples=499, draws=9, seed=seed_of(rng))
    return (found.low[0] <= 1 <= found.high[0],)


SIMULATIONS = (
    *[
        Simulation(
            f"trends, rho {rho:g}",
            f"20 captions of 30 to 60 steps, AR(1) with coefficient {rho:g}, no trend",
            (*[Claim(f"trend.two_stage: {kind}", "level") for kind in ("tau", "slope", "theil_sen")], claim),
            partial(_trends, rho),
            600,
        )
        for rho, claim in _SINGLE.items()
    ],
    Simulation(
        "interval of a slope",
        "40 captions of 60 steps, AR(1) with coefficient 0.7, slopes of mean and spread 1 per 100 steps",
        (Claim("trend.two_stage: mean slope", "coverage"),),
        _intervals,
        1000,
    ),
)
