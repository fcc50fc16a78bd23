"""Reduced data -> rows of coupling.json: every coefficient by set, layer and arm; differences between arms; the cosine with its nulls."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import xarray as xr

from analysis.arms import ARMS, CONTRAST, CONTROL, TREATED
from analysis.coupling.names import CONTRAST_OF_CLASSES, KINDS, PRIMARY, RANKED, TURNED
from analysis.logits.names import SETS
from analysis.stats.rows import Row
from analysis.tested import Columns, rows_of, with_primaries

TURNING = "ranks turned round within captions, two-sided"


def results(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Every row; the primary ones first."""
    families = [family for regime in data["regime"].values for family in _families(data.sel(regime=regime), str(regime))]
    rows = [_turned(row, data) for row in rows_of(families, seed=seed, level=level)]
    return with_primaries(rows, PRIMARY)


def _families(data: xr.Dataset, regime: str) -> Iterator[Columns]:
    for kind in KINDS:
        unit = "rho" if kind in RANKED else "cosine"
        for which in SETS if kind != "specific" else SETS[:-1]:  # `other` objects are what that kind compares with
            rho = data["rho"].sel(kind=kind, set=which).transpose("arm", "image", "place").values.astype(float)
            for contrast in (*ARMS, CONTRAST) if kind in RANKED else ARMS:
                yield _columns(_of(rho, contrast), [regime, kind, which, contrast], data["place"].values, unit, tested=kind in RANKED)
    for kind in RANKED:  # the two signs of the observation, within the image
        one, other = (data["rho"].sel(kind=kind, set=name) for name in CONTRAST_OF_CLASSES.split(" - "))
        gap = (one - other).transpose("arm", "image", "place").values.astype(float)
        for contrast in (*ARMS, CONTRAST):
            yield _columns(_of(gap, contrast), [regime, kind, CONTRAST_OF_CLASSES, contrast], data["place"].values, "rho", tested=True)
    for which in SETS:
        constant = data["constant"].sel(set=which).transpose("arm", "image").values.astype(float)[..., None]
        excess = data["rho"].sel(set=which, kind="cosine") - data["rho"].sel(set=which, kind="permuted")
        above = excess.transpose("arm", "image", "place").values.astype(float)
        for arm in ARMS:
            yield _columns(_of(constant, arm), [regime, "constant", which, arm], ["any"], "cosine", tested=False)
            yield _columns(_of(above, arm), [regime, "cosine - permuted", which, arm], data["place"].values, "cosine", tested=True)


def _of(values: np.ndarray, contrast: str) -> np.ndarray:
    if contrast == CONTRAST:
        return values[ARMS.index(TREATED)] - values[ARMS.index(CONTROL)]
    return values[ARMS.index(contrast)]


def _columns(top: np.ndarray, where: list[str], places, unit: str, *, tested: bool) -> Columns:
    names = ("regime", "kind", "set", "contrast")
    return Columns(
        names=["/".join([*where, str(place)]) for place in places],
        top=top,
        unit=unit,
        where=[dict(zip(names, where, strict=True)) | {"place": str(place)} for place in places],
        role="exploratory" if tested else "descriptive",
        family="places (layers and the mean of the smoothed ones)",
    )


def _turned(row: Row, data: xr.Dataset) -> Row:
    """An arm's own coefficient on its own text is tested by turning, which keeps autocorrelation; the sign flip stays among the effects."""
    where = row.where
    if where["regime"] != "free" or where["kind"] not in TURNED or where["contrast"] not in ARMS or where["set"] not in SETS:
        return row
    null = data.sel(regime="free", arm=where["contrast"], turned=where["kind"], set=where["set"], place=where["place"])
    names = ("null_mean", "null_low", "null_high", "p", "p_max_t")
    mean, low, high, p, corrected = (float(null[name]) for name in names)
    effect = {**row.effect, "null_mean": mean, "null_low": low, "null_high": high, "p_sign_flip": row.p}
    return replace(row, test=TURNING, p=p, p_adjusted=corrected, effect=effect)
