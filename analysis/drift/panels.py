"""Panels of the drift figures: one quantity of the reduced data, drawn on given axes."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from analysis.drift.quantities import GROUPS, QUANTITIES
from analysis.plots.composition import composition
from analysis.plots.forest import Point, forest
from analysis.plots.heat import heat
from analysis.plots.steps import fewest, last_step, risk_table, steps
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, GROUP_COLOURS
from analysis.question.arms import BAND, CONTRAST, CONTROL, TREATED
from analysis.telling.wording import LEVEL

REGIMES = {"replay": "same tokens", "free": "own tokens"}
_MARKERS = {"replay": ("o", "#222222"), "free": ("s", "#8C8C8C")}
MAPS = ("entropy", "excess_image", "drift_step", "drift_image", "drift_prompt")  # quantities drawn as layer x step maps
Rows = Mapping[str, Mapping[str, Any]]


def curves(ax: Axes, reduced: xr.Dataset, regime: str, name: str, *, style: str = "-", labels: bool = True) -> None:
    """Both arms of one quantity, mean of the smoothed layers, over steps; images at risk beneath."""
    at_risk = {}
    for arm in (CONTROL, TREATED):
        found = curve(reduced, regime, arm, name)
        if found:
            steps(**found, colour=ARM_COLOURS[arm], label=ARM_LABELS[arm] if labels else None, style=style, ax=ax)
            at_risk[arm] = found["at_risk"]
    if not labels or not at_risk:
        return
    ax.set(xlabel="decoding step (tokens)", ylabel=QUANTITIES[name].label)
    ax.set_xlim(0, last_step(at_risk.values()))
    same = len({tuple(count) for count in at_risk.values()}) == 1
    table = {
        "n" if same else ("n " if arm == CONTROL else " "): (count, "0.3" if same else ARM_COLOURS[arm]) for arm, count in at_risk.items()
    }
    risk_table(reduced["step"].values, table, ax=ax)


def differences(ax: Axes, reduced: xr.Dataset, regime: str, name: str, *, style: str = "-", label: str | None = None) -> None:
    """KVSmooth minus no smoothing of one quantity, paired by image, mean of the smoothed layers, over steps; pairs beneath a solid line."""
    if regime not in reduced["regime"].values or name not in reduced["quantity"].values:
        return
    data = reduced.sel(regime=regime, quantity=name)
    step, pairs = data["step"].values, np.nan_to_num(data["change_pairs"].values).astype(int)
    if not (pairs[step >= 1] > 0).any():
        return
    parts = (np.where(step >= 1, data[f"{part}_change"].values, np.nan) for part in ("curve", "curve_low", "curve_high"))
    steps(step, *parts, at_risk=pairs, colour="#222222", label=label, style=style, ax=ax)
    if style == "-":
        ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
        ax.set(xlabel="decoding step (tokens)")
        ax.set_xlim(0, last_step([pairs]))
        risk_table(step, {"n": (np.where(step > 0, pairs, pairs.max(initial=0)), "0.3")}, ax=ax)


def level(reduced: xr.Dataset, regime: str, name: str) -> float:
    """The quantity without smoothing: the mean of its curve over the steps that are drawn."""
    found = curve(reduced, regime, CONTROL, name)
    drawn = np.where(found["at_risk"] >= fewest(found["at_risk"]), found["mean"], np.nan) if found else np.array([np.nan])
    return float(np.nanmean(drawn)) if np.isfinite(drawn).any() else np.nan


def groups(ax: Axes, reduced: xr.Dataset, regime: str, arm: str) -> None:
    """Composition of the attention row, mean of the smoothed layers; dashed: where the image's share ends under uniform attention."""
    order = ("image", *(group for group in GROUPS if group != "image"))
    found = {group: curve(reduced, regime, arm, f"mass_{group}") for group in order}
    shares = {group: np.where(part["at_risk"] >= fewest(part["at_risk"]), part["mean"], np.nan) for group, part in found.items() if part}
    if shares:
        composition(reduced["step"].values, shares, GROUP_COLOURS, ax=ax)
        uniform(ax, reduced, regime, arm, "k", "uniform\nattention\nto image")
        for line in ax.lines:  # seen on dark areas too
            line.set_path_effects([withStroke(linewidth=2.6, foreground="white")])
    ax.set(xlabel="decoding step (tokens)", ylabel="share of attention")


def uniform(ax: Axes, reduced: xr.Dataset, regime: str, arm: str, colour: str, label: str) -> None:
    """The dilution null: the image's share of the keys, which is what uniform attention would give it."""
    null = curve(reduced, regime, arm, "dilution_image")
    if null:
        steps(null["step"], null["mean"], at_risk=null["at_risk"], colour=colour, label=label, style="--", ax=ax)


def difference_map(ax: Axes, reduced: xr.Dataset, regime: str, name: str, label: str) -> None:
    """Layer x step map of the difference of the arms' means; cells that pass max-T over all cells are outlined."""
    if regime in reduced["regime"].values and name in reduced["quantity"].values:
        data = reduced.sel(regime=regime, quantity=name)
        step = data["step"].values
        keep = step <= last_step([data["alive"].sel(arm=arm).values for arm in (CONTROL, TREATED)])
        change = (data["map"].sel(arm=TREATED) - data["map"].sel(arm=CONTROL)).transpose("layer", "step").values.astype(float)
        bins = data["bin"].values
        shown = bins <= step[keep][-1]
        passed = data["map_p"].transpose("layer", "bin").values[:, shown] < LEVEL
        heat(change[:, keep], data["layer"].values, step[keep], difference=True, label=label, significant=passed, bins=bins[shown], ax=ax)
    ax.set(xlabel="decoding step (tokens)", ylabel="layer")


def by_layer(ax: Axes, reduced: xr.Dataset, rows: Rows, name: str, statistic: str, label: str) -> None:
    """Paired differences by layer and for the band, both regimes, from the results file.

    Filled where a corrected test rejects; the band's is corrected in primary outcomes only, elsewhere it stays open.
    """
    places = [*(int(layer) for layer in reduced["layer"].values), BAND]
    series = []
    for regime in (regime for regime in REGIMES if regime in reduced["regime"].values):
        marker, colour = _MARKERS[regime]
        points = []
        for place, which in enumerate(places):
            row = rows.get("/".join([regime, name, statistic, CONTRAST, which if which == BAND else f"layer {which}"]))
            if row is not None:
                points.append(Point.of(place, row, row["p_adjusted"] < LEVEL))
        series.append((f"{regime} (n = {used(reduced, regime)})", colour, marker, points))
    forest(series, [str(place) for place in places], ax=ax)
    ax.set(xlabel=label, ylabel="layer")
    ax.locator_params(axis="x", nbins=5)


def curve(reduced: xr.Dataset, regime: str, arm: str, name: str) -> dict[str, np.ndarray] | None:
    """Arguments of `steps` for one arm, or None where nothing was recorded; step 0 belongs to the prompt and is left out."""
    if regime not in reduced["regime"].values or name not in reduced["quantity"].values:
        return None
    data = reduced.sel(regime=regime, arm=arm, quantity=name)
    mean, low, high = (np.where(data["step"].values >= 1, data[part].values, np.nan) for part in ("curve", "curve_low", "curve_high"))
    if not np.isfinite(mean).any():
        return None
    at_risk = np.nan_to_num(data["alive"].values).astype(int)
    return {"step": data["step"].values, "mean": mean, "low": low, "high": high, "at_risk": at_risk}


def used(reduced: xr.Dataset, regime: str) -> int:
    """Images whose steps entered the tests."""
    return int((np.nan_to_num(reduced["steps_used"].sel(regime=regime).values) > 0).sum())


def first_regime(reduced: xr.Dataset) -> str:
    """Replay, whose arms share their tokens, where it was recorded."""
    return next(regime for regime in (*REGIMES, *reduced["regime"].values) if regime in reduced["regime"].values)


def band(reduced: xr.Dataset) -> list[int]:
    """The smoothed layers."""
    return json.loads(reduced.attrs["band"])


def band_text(reduced: xr.Dataset) -> str:
    """The smoothed layers as "3–10"."""
    layers = band(reduced)
    return f"{layers[0]}–{layers[-1]}" if len(layers) > 1 else str(layers[0])


def same_limits(axes: Iterable[Axes]) -> None:
    """One vertical scale for panels that are to be compared."""
    low, high = min(ax.get_ylim()[0] for ax in axes), max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)
