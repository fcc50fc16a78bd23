"""When a caption names its first absent object, counted in the objects that it has named: log against baseline, on the same images.

Each new object is one chance to err, so that a log that says less is not thereby later. A caption that ends without an absent object
leaves the risk; the hazard is compared among captions that still name objects.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from analysis.published.counts import Spoken
from analysis.stats.lifetable import END, EVENT
from analysis.stats.rows import Row
from analysis.stats.survival import hazard_ratio, survival

RESAMPLES = 1999
MEASURES = {"hazard_ratio": "1", "objects_before": "objects"}
"""Ratio of the hazards; objects named before the first absent one, mean up to the horizon that both logs reach."""
TESTS = {"hazard_ratio": "discrete-time hazard, cloglog GEE, two-sided: 1", "objects_before": "exchange of the two logs within images: 0"}
STILL_NAMING = 0.1
"""The clock stops where fewer captions than this share of either log still name objects."""


def times(spoken: Spoken) -> tuple[Int[np.ndarray, " image"], Int[np.ndarray, " image"]]:
    """At which new object each caption's first absent one stands, or, of a caption without one, one past its last; and which of the two."""
    fresh = spoken.mentions.fresh
    wrong = fresh & spoken.mentions.absent
    at = np.where(wrong, fresh.cumsum(1), fresh.shape[1] + 1).min(1)
    return np.where(wrong.any(1), at, fresh.sum(1) + 1), np.where(wrong.any(1), EVENT, END)


def first_absent(arm: Spoken, base: Spoken, name: str, about: Mapping[str, Any], level: float, seed: int) -> list[Row]:
    """Rows of `MEASURES`, log against baseline."""
    (early, kind), (before, ended) = times(arm), times(base)
    time, kinds = np.stack([before, early], 1), np.stack([ended, kind], 1)
    named = [np.quantile(_named(side) + 1, 1 - STILL_NAMING) for side in (base, arm)]
    model, (effect, *_) = hazard_ratio(time, kinds, level=level)
    ratio, low, high = effect.ratio("unit")
    fitted = survival(time, kinds, horizon=max(1, int(min(named))), resamples=RESAMPLES, seed=seed, level=level).contrasts[0]["mean_free"]
    found = {
        "hazard_ratio": (ratio, (low, high), effect.p, model.n_images, model.reason),
        "objects_before": (fitted.estimate, (fitted.low, fitted.high), fitted.p, fitted.n_images, fitted.reason),
    }
    return [
        Row(
            name=f"{name}/{measure}",
            estimate=float(estimate),
            unit=MEASURES[measure],
            n=int(n),
            interval=(float(limits[0]), float(limits[1])),
            test=TESTS[measure],
            p=float(p),
            where={**about, "measure": measure},
            reason=reason,
        )
        for measure, (estimate, limits, p, n, reason) in found.items()
    ]


def _named(spoken: Spoken) -> Int[np.ndarray, " image"]:
    return spoken.mentions.fresh.sum(1)
