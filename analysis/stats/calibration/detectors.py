"""Level and coverage of the statistics of detectors: clustered DeLong, average precision, the difference of two scores."""

from functools import cache, partial

import numpy as np
from scipy.stats import norm

from analysis.stats.calibration.samples import labelled
from analysis.stats.calibration.simulation import Claim, Simulation
from analysis.stats.concordance import concordance
from analysis.stats.delong import delong
from analysis.stats.discrimination import FORMS
from analysis.stats.jackknife import cluster_jackknife
from analysis.stats.precision import average_precision, ranking

_IMAGES, _EFFECT = 40, 0.5
_TRUE_SAMPLES = 400


def _precision(sample, form: str):
    score, positive, image, position = sample
    group = {"pooled": None, "within": image, "stratified": position}[form]
    return average_precision([ranking(score, positive, image, _IMAGES, group)])


@cache
def _expected_precision(form: str) -> float:
    """Mean average precision over samples of this size: it hangs on how many cases a group has, so no formula of the population serves."""
    rng, every = np.random.default_rng(99), np.arange(_IMAGES)
    return float(np.mean([_precision(labelled(rng, _IMAGES, _EFFECT), form)(every)[0] for _ in range(_TRUE_SAMPLES)]))


def _areas(sample, form: str):
    score, positive, image, position = sample
    counted = concordance(score, positive, image, _IMAGES, position if form == "stratified" else None)
    return delong([counted], within=form == "within")


def _form(form: str, rng: np.random.Generator):
    sample = labelled(rng, _IMAGES, _EFFECT)
    low, high = _areas(sample, form).interval()
    truth = norm.cdf(_EFFECT / (np.sqrt(2) if form == "within" else 2))
    precise = cluster_jackknife(_precision(sample, form), _IMAGES, share=True)
    null = _areas(labelled(rng, _IMAGES, 0.0), form).p()[0]
    return low[0] <= truth <= high[0], precise.low[0] <= _expected_precision(form) <= precise.high[0], null <= 0.05


def _two_scores(rng):
    score, positive, image, _ = labelled(rng, _IMAGES, _EFFECT)
    pair = [concordance(score + rng.normal(size=len(score)), positive, image, _IMAGES) for _ in range(2)]
    return (delong(pair).difference(0, 1)[2] <= 0.05,)


_DESIGN = "40 images of 20 cases, a quarter positive, intraclass correlation 0.5, effect 0.5 (level: 0)"
SIMULATIONS = (
    *[
        Simulation(
            f"detectors, {form}",
            _DESIGN,
            (
                Claim(f"delong.delong: AUROC, {form}", "coverage"),
                Claim(f"jackknife.cluster_jackknife: average precision, {form}", "coverage"),
                Claim(f"delong.delong: AUROC of 0.5, {form}", "level"),
            ),
            partial(_form, form),
            500,
        )
        for form in FORMS
    ],
    Simulation(
        "two detectors",
        "40 images of 20 cases, two scores of equal worth that share an image effect",
        (Claim("delong.delong: no difference", "level"),),
        _two_scores,
        1000,
    ),
)
