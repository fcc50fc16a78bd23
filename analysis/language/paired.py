"""What a language model that never saw the image thinks of the test captions: NLL, and which captions are broken; paired by image.

Broken: it loops, or a token of it costs more than that of 99 in 100 captions without smoothing (`analysis.language.fluency`).
"""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.language.limits import limit
from analysis.stats.bootstrap import cluster_bca, mean
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

UNITS = {"nll": "nat a token", "broken": "1", "own_nll": "nat a token"}
"""Of the measures; the last, of the subject itself, is there where the data hold it."""
TEST = "sign flip over images, two-sided: 0"
Values = Float[np.ndarray, "image arm measure"]


def fluency_rows(reduced: xr.Dataset, arms: list[str], seed: int, level: float) -> list[Row]:
    """Rows "test/nll/<arm>" and "test/broken/<arm>", the same "- none", and the share of shuffled captions that the rule finds broken."""
    values, shuffled = measured(reduced)
    if not len(values):
        return []  # no caption without the method has two tokens
    found = cluster_bca(mean(values.reshape(len(values), -1)), len(values), level=level, seed=seed)
    rows, units = [], _units(values)
    for i, arm in enumerate(arms):
        for k, (name, unit) in enumerate(units):
            at = i * len(units) + k
            where = {"split": "test", "arm": arm, "measure": name}
            n = int(np.isfinite(values[:, i, k]).sum())
            told: dict[str, Any] = {"unit": unit, "n": n, "role": "descriptive", "where": where, "reason": found.reason[at]}
            rows.append(Row(f"test/{name}/{arm}", found.estimate[at], interval=(found.low[at], found.high[at]), **told))
    where = {"split": "calibration", "arm": "none, words shuffled", "measure": "broken"}
    told = {"unit": "1", "n": len(values), "role": "descriptive", "where": where, "interval": (np.nan, np.nan)}
    rows.append(Row("test/broken/none, words shuffled", float(shuffled.mean()), reason="a share alone", **told))
    return rows + _changes(values, arms, seed, level)


def measured(reduced: xr.Dataset) -> tuple[Values, np.ndarray]:
    """NLL and broken of each image and arm, and broken of the shuffled captions; of images of which a caption was read.

    A caption of fewer than two tokens has no NLL; it is broken if it loops, which it cannot.
    """
    nll = reduced["nll"].transpose("image", "arm").values.astype(float)
    read = np.isfinite(nll).any(1)
    if not np.isfinite(nll[:, 0]).any():
        return np.zeros((0, nll.shape[1], 2)), np.zeros(0, dtype=bool)
    looping = reduced["test"].sel(count="looping").transpose("image", "arm").values > 0
    above = limit(nll[read, 0])
    broken = (looping | (nll > above))[read]
    values = [nll[read], broken.astype(float)]
    if "own_nll" in reduced:
        values.append(reduced["own_nll"].transpose("image", "arm").values.astype(float)[read])
    return np.stack(values, -1), reduced["nll_shuffled"].values[read] > above


def _units(values: Values) -> list[tuple[str, str]]:
    return list(UNITS.items())[: values.shape[-1]]


def _changes(values: Values, arms: list[str], seed: int, level: float) -> list[Row]:
    change = (values[:, 1:] - values[:, :1]).reshape(len(values), -1)
    if not change.shape[1]:
        return []
    found = cluster_bca(mean(change), len(change), level=level, seed=seed)
    p = sign_flip(change, seed=seed)[0]
    corrected, told, rows, units = adjust(p), f"Holm over {family_size(p)} tests of fluency", [], _units(values)
    for i, arm in enumerate(arms[1:]):
        for k, (name, unit) in enumerate(units):
            at = i * len(units) + k
            rows.append(
                Row(
                    f"test/{name}/{arm} - {arms[0]}",
                    found.estimate[at],
                    unit,
                    int(np.isfinite(change[:, at]).sum()),
                    (found.low[at], found.high[at]),
                    test=TEST,
                    p=p[at],
                    p_adjusted=corrected[at],
                    adjustment=told,
                    role="exploratory",
                    where={"split": "test", "treated": arm, "control": arms[0], "measure": name},
                    reason=found.reason[at],
                )
            )
    return rows
