"""Reduced data -> rows of coupling.json: every coefficient by set, layer and arm; differences between arms; the cosine with its nulls."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.coupling.names import CONTRAST_OF_CLASSES, KINDS, PRIMARY, RANKED, TURNED, WITHOUT_FIRST
from analysis.objects.names import SETS
from analysis.question.arms import ARMS, BAND, CONTRAST, CONTROL, TREATED
from analysis.question.families import FamilyColumns, rows_of, with_primaries
from analysis.stats.rows import Row

TURNING = "the larger p of ranks turned round within captions and of a sign flip over images, two-sided"


def results(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Every row; the primary ones first."""
    families = [family for regime in data["regime"].values for family in _families(data.sel(regime=regime), str(regime))]
    rows = [_turned(row, data) for row in rows_of(families, seed=seed, level=level)]
    return with_primaries(rows, PRIMARY)


def _families(data: xr.Dataset, regime: str) -> Iterator[FamilyColumns]:
    """By layer what is tested by turning, else the mean of the smoothed layers alone; and by itself what leaves out the first token."""
    every = [str(place) for place in data["place"].values]
    places = [place for place in every if place != WITHOUT_FIRST]
    groups = [(kind, places if kind in TURNED else [BAND]) for kind in KINDS]
    groups += [(kind, [WITHOUT_FIRST]) for kind in RANKED if WITHOUT_FIRST in every]
    for kind, chosen in groups:
        rho = {name: _values(data["rho"].sel(kind=kind, set=name, place=chosen)) for name in SETS}
        if kind == "specific":
            del rho["other"]  # they are what that kind compares with
        if kind in RANKED:  # the two signs of the observation, within the image
            one, other = CONTRAST_OF_CLASSES.split(" - ")
            rho[CONTRAST_OF_CLASSES] = rho[one] - rho[other]
        for which, values in rho.items():
            for contrast in (*ARMS, CONTRAST) if kind in RANKED else ARMS:
                yield _columns(_of(values, contrast), [regime, kind, which, contrast], chosen, kind in RANKED)
    for which in SETS:
        constant = data["constant"].sel(set=which).transpose("arm", "image").values.astype(float)[..., None]
        cosine, permuted = (_values(data["rho"].sel(kind=kind, set=which, place=[BAND])) for kind in ("cosine", "permuted"))
        for arm in ARMS:
            yield _columns(_of(constant, arm), [regime, "constant", which, arm], ["any"], False)
            yield _columns(_of(cosine - permuted, arm), [regime, "cosine - permuted", which, arm], [BAND], True)


def _values(rho: xr.DataArray) -> Float[np.ndarray, "arm image place"]:
    return rho.transpose("arm", "image", "place").values.astype(float)


def _of(values: Float[np.ndarray, "arm image place"], contrast: str) -> Float[np.ndarray, "image place"]:
    if contrast == CONTRAST:
        return values[ARMS.index(TREATED)] - values[ARMS.index(CONTROL)]
    return values[ARMS.index(contrast)]


def _columns(top: Float[np.ndarray, "image place"], where: list[str], places: list[str], tested: bool) -> FamilyColumns:
    names = ("regime", "kind", "set", "contrast")
    return FamilyColumns(
        names=["/".join([*where, place]) for place in places],
        top=top,
        unit="rho" if where[1] in RANKED else "cosine",
        where=[dict(zip(names, where, strict=True)) | {"place": place} for place in places],
        role="exploratory" if tested else "descriptive",
        family="layers and their mean" if len(places) > 1 else "place",
    )


def _turned(row: Row, data: xr.Dataset) -> Row:
    """An arm's own coefficient on its own text must pass two tests: turning, which keeps autocorrelation, and the sign flip.

    Turning alone says that some captions have an association; the mean over images may still be zero, which the sign flip asks.
    """
    where = row.where
    if where["regime"] != "free" or where["kind"] not in TURNED or where["contrast"] not in ARMS or where["set"] not in SETS:
        return row
    null = data.sel(regime="free", arm=where["contrast"], turned=where["kind"], set=where["set"], place=where["place"])
    names = ("null_mean", "null_low", "null_high", "p", "p_max_t")
    mean, low, high, p, corrected = (float(null[name]) for name in names)
    effect = {**row.effect, "null_mean": mean, "null_low": low, "null_high": high, "p_turned": p, "p_sign_flip": row.p}
    either, adjusted = (float(np.maximum(own, turned)) for own, turned in ((row.p, p), (row.p_adjusted, corrected)))  # NaN where either is
    return replace(row, test=TURNING, p=either, p_adjusted=adjusted, effect=effect)
