"""Panels of the entropy figures: rows of the results file on given axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from analysis.plots.forest import Point, forest
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, NULL_COLOUR
from analysis.question.arms import ARMS, CONTROL, TREATED

LEVEL = 0.05
Rows = Mapping[str, Mapping[str, Any]]
REGIME_STYLES = {"free": "-", "replay": (0, (4, 1.5))}


def by_place(ax: Axes, places: Sequence[int], found: Sequence[Mapping[str, Any] | None], colour: str, marker: str, label: str) -> None:
    """One line over layers with its bars; rows that do not exist or have no value are left out."""
    known = [(place, row) for place, row in zip(places, found, strict=True) if row is not None and np.isfinite(row["estimate"])]
    if not known:
        return
    at, estimate = [place for place, _ in known], np.array([row["estimate"] for _, row in known])
    limits = np.array([row["interval"] for _, row in known], dtype=float)
    reach = np.nan_to_num(np.abs(limits - estimate[:, None])).T
    ax.errorbar(at, estimate, yerr=reach, marker=marker, color=colour, capsize=0, elinewidth=0.8, linewidth=0.9, label=label)


def by_layer(ax: Axes, data: xr.Dataset, rows: Rows, kind: str, shift: str | None, *, null: float = 0.0, after: str = "") -> None:
    """Both arms by layer and for the band; `shift` names the reference whose shift null is shaded."""
    places = [str(place) for place in data["place"].values]
    series = []
    for arm, marker in zip(ARMS, "os", strict=True):
        found = [rows.get(f"{kind}/{arm}{after}/{place if place == 'band' else f'layer {place}'}") for place in places]
        points = [Point.of(i, r, bool(r["p_adjusted"] < LEVEL)) for i, r in enumerate(found) if r is not None]
        n = max((int(row["n"]) for row in found if row is not None), default=0)
        series.append((f"{ARM_LABELS[arm]}, n = {n}", ARM_COLOURS[arm], marker, points))
    if shift is not None:
        told = data.sel(arm=CONTROL, reference=shift.removeprefix("shift_"))
        for place, low, high in zip(range(len(places)), told["shift_low"].values, told["shift_high"].values, strict=True):
            ax.fill_betweenx([place - 0.4, place + 0.4], low, high, color="0.85", linewidth=0, zorder=0)
    forest(series, places, null=null, ax=ax)
    ax.locator_params(axis="x", nbins=5)


def by_lag(ax: Axes, data: xr.Dataset, rows: Rows, kind: str, lags: np.ndarray) -> None:
    """Both arms and regimes against the lag, mean of the smoothed layers, with a walk (dashed) and white noise (dotted)."""
    regimes = [str(name) for name in data["regime"].values]
    for regime in sorted(regimes):
        for arm in (CONTROL, TREATED):
            if regime == "replay" and arm == CONTROL:
                continue  # its own captions again
            words = "" if arm == CONTROL else {"free": ", own tokens", "replay": ", baseline's tokens"}[regime]
            own = [rows.get(f"walk/{_row(kind)}/{regime}/{arm}/lag {lag:g}/band") for lag in lags]

            if kind == "autocorrelation":
                shown = [(lag, row) for lag, row in zip(lags, own, strict=True) if row is not None]
            else:
                shown = [(1.0, {"estimate": 1.0, "interval": [1.0, 1.0]})]
                shown += [(lag, row) for lag, row in zip(lags, own, strict=True) if row is not None]
            at = np.array([lag for lag, _ in shown])
            factor = at if kind == "displacement" else np.ones(len(at))
            estimate = factor * np.array([row["estimate"] for _, row in shown])
            limits = factor[:, None] * np.array([row["interval"] for _, row in shown], dtype=float)
            ax.plot(
                at,
                estimate,
                marker="o",
                markersize=2.4,
                linestyle=REGIME_STYLES[regime],
                color=ARM_COLOURS[arm],
                label=ARM_LABELS[arm] + words,
            )
            ax.fill_between(at, *limits.T, color=ARM_COLOURS[arm], alpha=0.22, linewidth=0)

    walk, white = {
        "displacement": (lags, np.ones(len(lags))),
        "variance ratio": (np.ones(len(lags)), 1 / lags),
        "autocorrelation": (np.zeros(len(lags)), np.where(lags == 1, -0.5, 0.0)),
    }[kind]
    ax.plot(lags, walk, "--", color=NULL_COLOUR, linewidth=0.9, label="random walk")
    ax.plot(lags, white, ":", color=NULL_COLOUR, linewidth=1.1, label="white noise")


def _row(kind: str) -> str:
    return "variance ratio" if kind == "displacement" else kind
