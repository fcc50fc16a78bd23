"""Reduced data -> rows: each arm against no smoothing and KVSmooth against each control, paired by image.

Primary: both parts of the signature in every arm, all together by max-T, since one sentence says which arms have it.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.cells.names import BASELINE, PAPER
from analysis.mechanism.measures import MEASURES, SIGNATURE
from analysis.stats.bootstrap import cluster_bca, mean
from analysis.stats.multiplicity import family_size
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

TEST = "sign-flip permutation of the mean over images, two-sided: 0"
Values = Float[np.ndarray, "image arm measure"]


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Rows "<arm>/<measure>", "<arm> - baseline/<measure>" and "kvsmooth - <control>/<measure>"."""
    arms = [str(arm) for arm in reduced["arm"].values]
    values = reduced["measure"].transpose("image", "arm", "name").values.astype(float)
    values = values[np.isfinite(values).all((1, 2))]  # an image of too short a text has no slope, in any arm: texts are the same
    base, paper = arms.index(BASELINE), arms.index(PAPER)
    against = [(i, base) for i in range(len(arms)) if i != base]
    controls = [(paper, i) for i in range(len(arms)) if i not in (base, paper)]
    rows = _levels(values, arms, seed, level)
    rows += _changes(values, arms, against, "against no smoothing", True, seed, level)
    return rows + (_changes(values, arms, controls, "KVSmooth against controls", False, seed, level) if controls else [])


def _levels(values: Values, arms: Sequence[str], seed: int, level: float) -> list[Row]:
    found = cluster_bca(mean(values.reshape(len(values), -1)), len(values), level=level, seed=seed)
    rows = []
    for i, arm in enumerate(arms):
        for k, (name, measure) in enumerate(MEASURES.items()):
            at = i * len(MEASURES) + k
            told = {"unit": measure.unit, "n": len(values), "role": "descriptive", "where": {"arm": arm, "measure": name}}
            limits = (found.low[at], found.high[at])
            rows.append(Row(f"{arm}/{name}", found.estimate[at], interval=limits, reason=found.reason[at], **told))
    return rows


def _changes(
    values: Values, arms: Sequence[str], pairs: Sequence[tuple[int, int]], family: str, primary: bool, seed: int, level: float
) -> list[Row]:
    change = np.stack([values[:, i] - values[:, j] for i, j in pairs], 1)  # "image pair measure"
    found = cluster_bca(mean(change.reshape(len(change), -1)), len(change), level=level, seed=seed)
    p, corrected, told = np.empty(change.shape[1:]), np.empty(change.shape[1:]), [""] * len(MEASURES)
    together = [k for k, name in enumerate(MEASURES) if name in SIGNATURE]
    for group in (together, *([k] for k in range(len(MEASURES)) if k not in together)):
        flat = change[:, :, group].reshape(len(change), -1)
        own, adjusted = (part.reshape(len(pairs), len(group)) for part in sign_flip(flat, seed=seed))
        p[:, group], corrected[:, group] = own, adjusted
        for k in group:
            told[k] = f"max-T over {family_size(own.ravel())} {family}"
    rows = []
    for n, (i, j) in enumerate(pairs):
        for k, (name, measure) in enumerate(MEASURES.items()):
            at = n * len(MEASURES) + k
            rows.append(
                Row(
                    name=f"{arms[i]} - {arms[j]}/{name}",
                    estimate=found.estimate[at],
                    unit=measure.unit,
                    n=len(change),
                    interval=(found.low[at], found.high[at]),
                    test=TEST,
                    p=p[n, k],
                    p_adjusted=corrected[n, k],
                    adjustment=told[k],
                    effect={arms[j]: float(values[:, j, k].mean())},
                    role="primary" if primary and name in SIGNATURE else "exploratory",
                    where={"treated": arms[i], "control": arms[j], "measure": name},
                    reason=found.reason[at],
                )
            )
    return rows
