"""The figures of the drift question, composed of drawings in analysis.plots; every number comes from drift.nc and drift.json."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.inference import BAND, CONTRAST, CONTROL, TREATED
from analysis.plots.composition import composition
from analysis.plots.forest import Point, forest
from analysis.plots.heat import heat
from analysis.plots.rates import clipped, ecdf
from analysis.plots.steps import fewest, risk_table, steps
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, GROUP_COLOURS, KIND_COLOURS, NULL_COLOUR, PAGE, figure, letter
from analysis.quantities import GROUPS, QUANTITIES

LEVEL = 0.05
REGIMES = {"replay": "same tokens", "free": "own tokens"}
_MARKERS = {"replay": ("o", "#222222"), "free": ("s", "#8C8C8C")}
Rows = Mapping[str, Mapping[str, Any]]


def draw_all(reduced: xr.Dataset, rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    return {
        "entropy": entropy(reduced, rows),
        "visual_mass": visual_mass(reduced, rows),
        "drift": drift(reduced, rows),
        "smoothing": smoothing(reduced, rows),
    }


def entropy(reduced: xr.Dataset, rows: Rows) -> Figure:
    """Row entropy over steps in both regimes; where in layers and steps the arms differ; the difference by layer."""
    made = figure(PAGE, 4.5)
    axes = made.subplots(2, 2, width_ratios=[1.25, 1])
    for ax, regime, text in zip((axes[0, 0], axes[0, 1]), REGIMES, "ab", strict=True):
        curves(ax, reduced, regime, "entropy")
        letter(ax, text, f"{regime} ({REGIMES[regime]}), layers {band_text(reduced)}")
    same_limits(axes[0])
    axes[0, 0].legend(loc="best")
    difference_map(axes[1, 0], reduced, "replay", "entropy", "difference of entropy (nat)")
    letter(axes[1, 0], "c", "KVSmooth minus no smoothing, replay")
    by_layer(axes[1, 1], reduced, rows, "entropy", "mean", "difference of entropy (nat)")
    letter(axes[1, 1], "d", "the same by layer, mean over steps")
    axes[1, 1].legend(loc="best")
    return made


def visual_mass(reduced: xr.Dataset, rows: Rows) -> Figure:
    """Visual mass beside what uniform attention would give; what is left after dilution; where attention goes instead."""
    made = figure(PAGE, 6.4)
    axes = made.subplots(3, 2)
    regime = first_regime(reduced)
    curves(axes[0, 0], reduced, regime, "mass_image")
    null = curve(reduced, regime, CONTROL, "dilution_image")
    steps(null["step"], null["mean"], at_risk=null["at_risk"], colour=NULL_COLOUR, label="uniform attention", style="--", ax=axes[0, 0])
    axes[0, 0].set_ylabel("attention on the image (share)")
    axes[0, 0].legend(loc="best")
    letter(axes[0, 0], "a", f"visual mass and its dilution null, {regime}")
    curves(axes[0, 1], reduced, regime, "excess_image")
    axes[0, 1].axhline(0, color=NULL_COLOUR, linestyle="--", linewidth=1)
    letter(axes[0, 1], "b", f"excess over dilution, layers {band_text(reduced)}")
    for ax, arm, text in zip(axes[1], (CONTROL, TREATED), "cd", strict=True):
        groups(ax, reduced, regime, arm)
        letter(ax, text, f"attention by group of keys, {ARM_LABELS[arm]}")
    handles, labels = axes[1, 0].get_legend_handles_labels()
    axes[1, 1].legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5))
    difference_map(axes[2, 0], reduced, regime, "excess_image", "difference of log excess (ln)")
    letter(axes[2, 0], "e", f"KVSmooth minus no smoothing, {regime}")
    by_layer(axes[2, 1], reduced, rows, "excess_image", "mean", "difference of log excess (ln)")
    letter(axes[2, 1], "f", "the same by layer, mean over steps")
    axes[2, 1].legend(loc="best")
    return made


def drift(reduced: xr.Dataset, rows: Rows) -> Figure:
    """Angles of the hidden state to the previous step, to the image and to the prompt, sink channels masked and not."""
    made = figure(PAGE, 6.4)
    axes = made.subplots(3, 3)
    regime = first_regime(reduced)
    targets = {"step": "previous step", "image": "mean image state", "prompt": "last prompt token"}
    for column, (to, words) in enumerate(targets.items()):
        top, middle, bottom = axes[:, column]
        curves(top, reduced, regime, f"drift_{to}", last=column == 0)
        curves(top, reduced, regime, f"drift_{to}_all", style=":", labels=False)
        top.set_ylabel("angle (rad)" if column == 0 else "")
        letter(top, "abc"[column], f"to the {words}")
        difference_map(middle, reduced, regime, f"drift_{to}", "rad")
        letter(middle, "def"[column], "KVSmooth − none, masked")
        by_layer(bottom, reduced, rows, f"drift_{to}", "mean", "difference (rad)")
        letter(bottom, "ghi"[column], "by layer, masked")
        if column:
            middle.set_ylabel("")
            bottom.set_ylabel("")
    axes[0, 0].plot([], [], ":", color="0.3", label="all channels")
    axes[0, 0].legend(loc="best")
    axes[2, 0].legend(loc="best")
    return made


def smoothing(reduced: xr.Dataset, rows: Rows) -> Figure:
    """What the smoothing did: its rates, the shares on its clips, and how far keys and values moved."""
    made = figure(PAGE, 2.5)
    left, middle, right = made.subplots(1, 3)
    regime = first_regime(reduced)
    layers = reduced["layer"].values
    touched = np.isin(layers, band(reduced))
    if "rate_ecdf" in reduced:
        data = reduced.sel(regime=regime)
        ecdf(data["rate"].values, data["rate_ecdf"].transpose("layer", "rate").values, layers, ax=left)
        floor, ceiling = (data[f"share_{side}"].mean("image").values[touched] for side in ("floor", "ceiling"))
        low, high = float(data["rate_floor"]), float(data["rate_ceiling"])
        shares = [
            (f"at floor {low:.2g}", "#0072B2", floor),
            ("between", "#DDDDDD", 1 - floor - ceiling),
            (f"at ceiling {high:.2g}", "#D55E00", ceiling),
        ]
        clipped(shares, layers[touched], ax=middle)
        left.legend(loc="upper left")
        middle.legend(loc="lower center", bbox_to_anchor=(0.5, 1.1), ncols=3, columnspacing=0.8, handlelength=0.9)
    left.set(xlabel="smoothing rate λ", ylabel="share of steps with rate ≤ λ", xlim=(0, 1))
    letter(left, "a", f"rates by layer, {regime}")
    middle.set(xlabel="layer", ylabel="share of steps")
    letter(middle, "b", "clipped rates")
    for kind, colour in KIND_COLOURS.items():
        points = [rows.get(f"{regime}/change_{kind}/mean/{TREATED}/layer {layer}") for layer in layers]
        found = [(layer, row) for layer, row in zip(layers, points, strict=True) if row and row["estimate"] is not None]
        place = [layer for layer, _ in found]
        estimate = np.array([row["estimate"] for _, row in found])
        limits = np.array([[row["estimate"] if limit is None else limit for limit in row["interval"]] for _, row in found]).reshape(-1, 2)
        right.errorbar(place, estimate, yerr=np.abs(limits.T - estimate), fmt="o-", color=colour, capsize=0, elinewidth=0.9, label=kind)
    right.set(xlabel="layer", ylabel="‖change‖ / ‖raw‖", ylim=(0, None))
    letter(right, "c", "relative change a step")
    right.legend(loc="best")
    return made


def curves(ax: Axes, reduced: xr.Dataset, regime: str, name: str, *, style: str = "-", labels: bool = True, last: bool = True) -> None:
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
    ax.xaxis.labelpad = 2 + 8 * len(table)


def groups(ax: Axes, reduced: xr.Dataset, regime: str, arm: str) -> None:
    """Composition of the attention row, mean of the smoothed layers; dashed: where the image's share ends under uniform attention."""
    order = ("image", *(group for group in GROUPS if group != "image"))
    found = {group: curve(reduced, regime, arm, f"mass_{group}") for group in order}
    shares = {group: np.where(part["at_risk"] >= fewest(part["at_risk"]), part["mean"], np.nan) for group, part in found.items() if part}
    if shares:
        composition(reduced["step"].values, shares, GROUP_COLOURS, ax=ax)
        null = curve(reduced, regime, arm, "dilution_image")
        if null:
            steps(null["step"], null["mean"], at_risk=null["at_risk"], colour="k", style="--", ax=ax)
    ax.set(xlabel="decoding step (tokens)", ylabel="share of attention")


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
    """Paired differences by layer and for the band, both regimes, from the results file."""
    places = [*(int(layer) for layer in reduced["layer"].values), BAND]
    series = []
    for regime in (regime for regime in REGIMES if regime in reduced["regime"].values):
        marker, colour = _MARKERS[regime]
        points = []
        for place, which in enumerate(places):
            row = rows.get("/".join([regime, name, statistic, CONTRAST, which if which == BAND else f"layer {which}"]))
            if row is not None and row["estimate"] is not None:
                low, high = (np.nan if limit is None else limit for limit in row["interval"])
                p = row["p_adjusted"] if row["p_adjusted"] is not None else row["p"]
                points.append(Point(place, row["estimate"], low, high, p is not None and p < LEVEL))
        series.append((f"{regime} (n = {used(reduced, regime)})", colour, marker, points))
    forest(series, [str(place) for place in places], ax=ax)
    ax.set(xlabel=label, ylabel="layer")


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


def last_step(at_risk) -> int:
    """Last step at which enough images of any arm are left to draw a mean."""
    ends = [np.flatnonzero(np.nan_to_num(count) >= fewest(np.nan_to_num(count).astype(int))) for count in at_risk]
    return max([int(end[-1]) for end in ends if len(end)] or [1])


def used(reduced: xr.Dataset, regime: str) -> int:
    """Images whose steps entered the tests."""
    return int((np.nan_to_num(reduced["steps_used"].sel(regime=regime).values) > 0).sum())


def first_regime(reduced: xr.Dataset) -> str:
    """Replay, whose arms share their tokens, where it was recorded."""
    return next(regime for regime in (*REGIMES, *reduced["regime"].values) if regime in reduced["regime"].values)


def band(reduced: xr.Dataset) -> list[int]:
    """The smoothed layers."""
    import json

    return json.loads(reduced.attrs["band"])


def band_text(reduced: xr.Dataset) -> str:
    """The smoothed layers as "3–10"."""
    layers = band(reduced)
    return f"{layers[0]}–{layers[-1]}" if len(layers) > 1 else str(layers[0])


def same_limits(axes) -> None:
    """One vertical scale for panels that are to be compared."""
    low, high = min(ax.get_ylim()[0] for ax in axes), max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)
