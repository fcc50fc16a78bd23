"""What a language model that never saw the image thinks of the test captions: NLL, and which captions are broken; paired by image.

Broken: it loops, or a token of it costs more than that of 99 in 100 captions without smoothing (`analysis.language.fluency`).
"""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.captions.rows import Naming, change_rows, level_rows, of_split
from analysis.language.limits import limit
from analysis.stats.bootstrap import cluster_bca, mean
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

UNITS = {"nll": "nat a token", "broken": "1", "own_nll": "nat a token"}
"""Of the measures; the last, of the subject itself, is there where the data hold it."""
TEST = "sign flip over images, two-sided: 0"
ON_TEST = of_split("test")
Values = Float[np.ndarray, "image arm measure"]


def fluency_rows(reduced: xr.Dataset, arms: list[str], seed: int, level: float, naming: Naming = ON_TEST, plain: str = "none") -> list[Row]:
    """NLL and broken captions of each arm, their changes from the first, and the share of shuffled captions that the rule finds broken.

    Parameters
    ----------
    naming : of the rows
    plain : what the captions are called whose words are shuffled
    """
    values, shuffled = measured(reduced)
    if not len(values):
        return []  # no caption without the method has two tokens
    found = cluster_bca(mean(values.reshape(len(values), -1)), len(values), level=level, seed=seed)
    rows = level_rows(found, arms, _units(values), np.isfinite(values).sum(0).ravel(), naming)
    name, where = naming("broken", f"{plain}, words shuffled")
    if "split" in where:
        where["split"] = "calibration"
    alone: dict[str, Any] = {"interval": (np.nan, np.nan), "role": "descriptive", "reason": "a share alone"}
    rows.append(Row(name, float(shuffled.mean()), "1", len(values), where=where, **alone))
    return rows + _changes(values, arms, seed, level, naming)


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


def _units(values: Values) -> dict[str, str]:
    return dict([*UNITS.items()][: values.shape[-1]])


def _changes(values: Values, arms: list[str], seed: int, level: float, naming: Naming) -> list[Row]:
    change = (values[:, 1:] - values[:, :1]).reshape(len(values), -1)
    if not change.shape[1]:
        return []
    found, units = cluster_bca(mean(change), len(change), level=level, seed=seed), _units(values)
    p = sign_flip(change, seed=seed)[0]
    corrected = adjust(p)
    about = {"test": TEST, "adjustment": f"Holm over {family_size(p)} tests of fluency", "role": "exploratory"}

    def tested(i: int, k: int) -> dict[str, Any]:
        at = i * len(units) + k
        return {"p": p[at], "p_adjusted": corrected[at], **about}

    return change_rows(found, arms, units, np.isfinite(change).sum(0), naming, tested)
