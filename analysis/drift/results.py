"""Reduced data -> rows of the results file: which hypotheses are tested, how, and out of how many.

Named in advance, on the replay (identical tokens in both arms), mean of the smoothed layers: PRIMARY. All else is exploratory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.drift.quantities import DESCRIBED, QUANTITIES, SHARES, SMOOTHING, TRENDS
from analysis.question.arms import BAND, CONTRAST, CONTROL, TREATED
from analysis.stats.bootstrap import Interval, cluster_bca, mean
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import compare
from analysis.stats.rows import Row

# (quantity, statistic): the questions that this analysis was built to answer; everything else may only suggest
PRIMARY = (("entropy", "mean"), ("excess_image", "slope"), ("drift_image", "mean"))
PRIMARY_REGIME = "replay"
SLOPES = ("slope", "slope_early", "slope_late")
"""Over all steps of a caption, and over each half of them."""
SIGN_FLIP = "sign-flip permutation of the mean, two-sided"


@dataclass(frozen=True)
class DriftFamily:
    """Columns that are tested together: the band's mean and the layers of one quantity, statistic and contrast.

    A column is named by its layer, by BAND, or by None where the quantity has no layers.
    """

    where: Mapping[str, str]
    columns: tuple[str | int | None, ...]
    treated: Float[np.ndarray, "image column"]
    control: Float[np.ndarray, "image column"]

    @property
    def change(self) -> Float[np.ndarray, "image column"]:
        return self.treated - self.control

    @property
    def unit(self) -> str:
        name = self.where["quantity"]
        unit = QUANTITIES[name].unit if name in QUANTITIES else {"log_probability": "nat"}.get(name, "1")
        units = {"mean": "{}", "tau": "tau-b", **dict.fromkeys(SLOPES, "{} per 100 tokens")}
        return units[self.where["statistic"]].format(unit)


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Every row on entropy, mass, drift and norms: differences of means, trends of each arm, differences of trends."""
    families = [family for regime in reduced["regime"].values for family in _families(reduced.sel(regime=regime, drop=True), str(regime))]
    # one bootstrap for all: the same drawn images for every column, and a hundred times faster than one a family
    every = np.concatenate([family.change for family in families], axis=1)
    interval = cluster_bca(mean(every), len(every), level=level, seed=seed)
    rows: list[Row] = []
    start = 0
    for family in families:
        stop = start + len(family.columns)
        rows += _rows(family, _part(interval, slice(start, stop)), seed)
        start = stop
    return _correct_primaries(rows)


def _families(data: xr.Dataset, regime: str) -> Iterator[DriftFamily]:
    for name in data["quantity"].values:
        part = data.sel(quantity=name, drop=True)
        where = {"regime": regime, "quantity": str(name)}
        slopes = [slope for slope in SLOPES if f"band_{slope}" in part]
        statistics = ("mean", "tau", *slopes) if name in TRENDS else ("mean",)
        for statistic in statistics:
            treated, labels = _columns(part, statistic, TREATED)
            control, _ = _columns(part, statistic, CONTROL)
            nothing = np.zeros_like(treated)
            about = where | {"statistic": statistic}
            if name in SMOOTHING or statistic != "mean":
                yield DriftFamily(about | {"contrast": TREATED}, labels, treated, nothing)
            if name not in DESCRIBED:
                yield DriftFamily(about | {"contrast": CONTRAST}, labels, treated, control)
                if statistic != "mean":
                    yield DriftFamily(about | {"contrast": CONTROL}, labels, control, nothing)
    if "log_probability" in data:
        # in replay the caption is the baseline's own, which favours the baseline: read it as a size, not as a merit
        treated, control = (data["log_probability"].sel(arm=arm).values[:, None].astype(float) for arm in (TREATED, CONTROL))
        yield DriftFamily(
            {"regime": regime, "quantity": "log_probability", "statistic": "mean", "contrast": CONTRAST}, (None,), treated, control
        )
    for name in SHARES:
        if name in data:
            shares = data[name].transpose("image", "layer").values.astype(float)
            touched = np.isfinite(shares).any(axis=0)
            layers = tuple(int(layer) for layer in data["layer"].values[touched])
            about = {"regime": regime, "quantity": name, "statistic": "mean", "contrast": TREATED}
            if layers:
                yield DriftFamily(about, layers, shares[:, touched], np.zeros_like(shares[:, touched]))


def _columns(data: xr.Dataset, statistic: str, arm: str) -> tuple[np.ndarray, tuple[str | int, ...]]:
    """Per-image values "image column" of one arm: the band's mean first, then each layer (slopes: the band only)."""
    banded = data[f"band_{statistic}"].sel(arm=arm).values[:, None]
    if statistic in SLOPES:
        return banded.astype(float), (BAND,)
    layers = data[statistic].sel(arm=arm).transpose("image", "layer").values
    return np.concatenate([banded, layers], axis=1).astype(float), (BAND, *(int(layer) for layer in data["layer"].values))


def _rows(family: DriftFamily, interval: Interval, seed: int) -> Iterator[Row]:
    """Rows of one family: the layers are corrected together by max-T; the band's mean is one test of its own."""
    change, descriptive = family.change, family.where["quantity"] in DESCRIBED
    layer = np.array([isinstance(label, int) for label in family.columns])
    paired = compare(family.treated, family.control, layer, seed=seed)
    holm, bh = np.full(len(layer), np.nan), np.full(len(layer), np.nan)
    if layer.any() and not descriptive:
        holm[layer], bh[layer] = (adjust(paired.p_sign_flip[layer], method) for method in ("holm", "bh"))
    size = family_size(paired.p_sign_flip[layer])
    for i, label in enumerate(family.columns):
        effect = {"median": paired.median[i]}
        if not descriptive:
            effect |= {"d_z": paired.d_z[i], "hodges_lehmann": paired.hodges_lehmann[i], "p_wilcoxon": paired.p_wilcoxon[i]}
        if family.where["contrast"] == CONTRAST:
            both = np.isfinite(change[:, i])
            effect |= {"g_av": paired.g_av[i], TREATED: _mean(family.treated[both, i]), CONTROL: _mean(family.control[both, i])}
        if layer[i] and not descriptive:
            effect |= {"p_holm": holm[i], "p_bh": bh[i]}
        place = {} if label is None else {"layer": label}
        yield Row(
            name="/".join([*family.where.values(), *(f"layer {at}" if layer[i] else str(at) for at in place.values())]),
            estimate=interval.estimate[i],
            unit=family.unit,
            n=int(paired.n[i]),
            interval=(interval.low[i], interval.high[i]),
            test="" if descriptive else SIGN_FLIP,
            p=np.nan if descriptive else paired.p_sign_flip[i],
            p_adjusted=np.nan if descriptive else paired.p_max_t[i],
            adjustment=f"max-T over {size} layers" if layer[i] and not descriptive else "",
            effect=effect,
            role="descriptive" if descriptive else "exploratory",
            where={**family.where, **place},
            reason=paired.reason[i] or interval.reason[i],
        )


def _part(interval: Interval, which: slice) -> Interval:
    return Interval(interval.estimate[which], interval.low[which], interval.high[which], interval.reason[which])


def _correct_primaries(rows: list[Row]) -> list[Row]:
    """Mark the primary rows and correct them by Holm over the primaries; they come first."""

    def rank(row: Row) -> int | None:
        place = row.where
        asked = place["regime"] == PRIMARY_REGIME and place["contrast"] == CONTRAST and place.get("layer") == BAND
        key = (place["quantity"], place["statistic"])
        return PRIMARY.index(key) if asked and key in PRIMARY else None

    primary = sorted((row for row in rows if rank(row) is not None), key=rank)
    p = adjust(np.array([row.p for row in primary]), "holm")
    named = [
        replace(row, role="primary", p_adjusted=p[i], adjustment=f"Holm over {family_size(p)} primary outcomes")
        for i, row in enumerate(primary)
    ]
    return named + [row for row in rows if rank(row) is None]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
