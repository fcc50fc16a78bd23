"""Level of permutation tests inside images, and of tests over images that flip signs or exchange arms."""

import numpy as np

from analysis.stats.calibration.samples import autoregressive, labelled, mentions, proneness
from analysis.stats.calibration.simulation import Claim, Simulation, seed_of
from analysis.stats.paired import compare
from analysis.stats.permutation import circular_shift, dot, standardised, within_auroc, within_image
from analysis.stats.swap import swap_test


def _labels(rng):
    score, positive, image, _ = labelled(rng, 20, effect=0.0)
    found = within_image(within_auroc(image), score[:, None], positive, image, draws=199, seed=seed_of(rng))
    return (found.p[0] <= 0.05,)


def _series(rng):
    image = np.repeat(np.arange(20), 40)
    first, second = (standardised(autoregressive(rng, 20, 40, 0.7).reshape(-1, 1), image, ranks=True) for _ in range(2))
    p = [test(dot, first, second[:, 0], image, draws=199, seed=seed_of(rng)).p[0] for test in (circular_shift, within_image)]
    return [one <= 0.05 for one in p]


def _arms(rng):
    scene = rng.normal(size=(30, 1))
    treated, control = (scene + 0.7 * rng.standard_t(3, size=(30, 12)) for _ in range(2))
    found = compare(treated, control, seed=seed_of(rng))
    return found.p_sign_flip[0] <= 0.05, found.p_wilcoxon[0] <= 0.05, (found.p_max_t <= 0.05).any(), (found.p_sign_flip <= 0.05).any()


def _exchange(rng):
    prone = proneness(rng, 30)
    treated, control = (np.concatenate(mentions(rng, prone, 0.25), axis=1) for _ in range(2))
    p = swap_test(treated, control, lambda total: (total[..., 0] / total[..., 1])[None], draws=499, seed=seed_of(rng))
    return (p[0] <= 0.05,)


SIMULATIONS = (
    Simulation(
        "labels within images",
        "20 images of 20 cases, scores with intraclass correlation 0.5 that tell nothing",
        (Claim("permutation.within_image: AUROC within images", "level"),),
        _labels,
        600,
    ),
    Simulation(
        "series turned round",
        "two unrelated AR(1) series (0.7) in 20 captions of 40 steps, Spearman within captions",
        (Claim("permutation.circular_shift", "level"), Claim("permutation.within_image on a series", "fails")),
        _series,
        600,
    ),
    Simulation(
        "paired arms",
        "30 images, 12 layers, shared image effects, heavy tails (t with 3 degrees)",
        (
            Claim("paired.compare: sign flip, one layer", "level"),
            Claim("paired.compare: Wilcoxon, one layer", "level"),
            Claim("paired.compare: max-T, any of 12 layers", "level"),
            Claim("12 layers without correction: any", "fails"),
        ),
        _arms,
        400,
    ),
    Simulation(
        "arms exchanged",
        "30 images, about 7 mentions each, the same rate of 0.25 in both arms",
        (Claim("swap.swap_test: ratio of sums", "level"),),
        _exchange,
        1000,
    ),
)
