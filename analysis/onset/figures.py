"""The figures of the onset question; every number comes from onset.nc and onset.json."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.onset.names import ALIGNED, SCORES
from analysis.onset.timing import CLOCKS
from analysis.plots.forest import Point, forest
from analysis.plots.steps import risk_table
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, KIND_LOOK, PAGE, figure, legend, legend_below, letter
from analysis.question.arms import ARMS, CONTROL

Rows = Mapping[str, Mapping[str, Any]]
LEVEL = 0.05
FORM_LABELS = {"pooled": "any two mentions", "within": "same image", "stratified": "same position"}
NOTES = {
    "onset_aligned": "First mentions. Upper: means at hallucinated ones (solid) and at true ones weighted to the same positions (dashed). "
    "Lower: difference, means of step and caption taken off; grey, dotted:\nwhole curves stay there in {level:.4g} % of permutations of "
    "labels within positions. Dots: corrected p < 0.05 (sign flip over images, max-T over offsets), with {level:.4g} % intervals "
    "(cluster BCa).",
    "onset_auroc": "First mentions. Above 0.5: in the direction that was expected of the score (+, −: higher, lower at hallucinated "
    "ones).\n"
    "Bars: {level:.4g} % cluster BCa interval over images. Filled: p < 0.05 (clustered DeLong, Holm over scores or layers). "
    "Same position: within 4 tokens.",
    "onset_survival": "Bands: {level:.4g} % cluster BCa interval over images, drawn with both arms. a, c: Aalen-Johansen, the end of a "
    "caption competes;\nb, d: Kaplan-Meier, as if captions did not end. The clock stops where a tenth of an arm's captions still goes on.",
}


def draw_all(data: xr.Dataset, rows: Rows, found: Mapping[str, Any]) -> dict[str, Figure]:
    """Every figure by its file name."""
    made = {"onset_aligned": aligned(data, rows), "onset_auroc": triple(data, rows)}
    return made | ({"onset_survival": survival(found["curves"])} if found["curves"] else {})


def aligned(data: xr.Dataset, rows: Rows) -> Figure:
    """For each quantity the two mean curves round a mention, and their difference in both arms."""
    names = [str(name) for name in data["quantity"].values]
    columns = min(4, max(len(names), 1))
    lines = int(np.ceil((len(names) + 1) / columns))
    made = figure(PAGE, 0.6 + 3.0 * lines)
    axes = made.subplots(2 * lines, columns, sharex=True, squeeze=False, height_ratios=[1, 1] * lines)
    for number, name in enumerate(names):
        line, column = divmod(number, columns)
        top, bottom = axes[2 * line, column], axes[2 * line + 1, column]
        for arm in ARMS:
            _raw(top, data, arm, name)
            _difference(bottom, data, rows, arm, name)
        words, unit = ALIGNED[name]
        letter(top, "abcdefghijkl"[number], words)
        top.set_ylabel(f"mean ({unit})" if column == 0 else f"({unit})")
        bottom.set_ylabel(f"difference ({unit})" if column == 0 else f"({unit})")
        bottom.set_xlabel("tokens from the mention")
        bottom.tick_params(labelbottom=True)
    spare = [axes[2 * (number // columns) + half, number % columns] for number in range(len(names), lines * columns) for half in (0, 1)]
    for ax in spare:
        ax.set_axis_off()
    counted = json.loads(data.attrs["counted"])
    shares = {arm: f"{ARM_LABELS[arm]}: {counted['hallucinated'][arm]} of {counted['first'][arm]}" for arm in ARMS}
    handles: list[Artist] = [Line2D([], [], color=ARM_COLOURS[arm], label=shares[arm]) for arm in ARMS]
    handles += [
        Line2D([], [], color="0.3", label="hallucinated"),
        Line2D([], [], color="0.3", linestyle="--", label="true, same positions"),
    ]
    handles += [Patch(color="0.86", label="permuted, no smoothing")]
    handles += [Line2D([], [], color=ARM_COLOURS[ARMS[1]], linestyle=":", label="permuted, KVSmooth")]
    if spare:
        title = "hallucinated of first mentions"
        spare[0].legend(handles=handles, loc="upper left", fontsize=5.8, borderaxespad=0, title=title, title_fontsize=6)
    return made


def _raw(ax: Axes, data: xr.Dataset, arm: str, name: str) -> None:
    offsets = data["offset"].values
    for side, style in (("hallucinated", "-"), ("true", "--")):
        ax.plot(offsets, data["raw"].sel(arm=arm, quantity=name, side=side).values, style, color=ARM_COLOURS[arm], linewidth=1.0)
    ax.axvline(0, color="0.6", linewidth=0.6, zorder=0)


def _difference(ax: Axes, data: xr.Dataset, rows: Rows, arm: str, name: str) -> None:
    offsets = data["offset"].values
    found = [rows[f"aligned/{name}/{arm}/{offset}"] for offset in offsets]
    estimate = np.array([row["estimate"] for row in found])
    low, high = np.array([row["interval"] for row in found], dtype=float).T
    null = data.sel(arm=arm, quantity=name, place=[str(offset) for offset in offsets])
    middle, width = null["null_mean"].values, null["null_width"].values
    if arm == CONTROL:
        ax.fill_between(offsets, middle - width, middle + width, color="0.86", linewidth=0, zorder=0)
    else:
        for side in (middle - width, middle + width):
            ax.plot(offsets, side, ":", color=ARM_COLOURS[arm], linewidth=0.7, zorder=1)
    ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.axvline(0, color="0.6", linewidth=0.6, zorder=0)
    ax.plot(offsets, estimate, color=ARM_COLOURS[arm], linewidth=1.0)
    passed = np.array([row["p_adjusted"] < LEVEL for row in found])
    # intervals of all others lie in the file: drawn, they hide the curves
    ax.vlines(offsets[passed], low[passed], high[passed], color=ARM_COLOURS[arm], linewidth=0.9)
    ax.plot(offsets[passed], estimate[passed], "o", color=ARM_COLOURS[arm], markersize=2.6)


def triple(data: xr.Dataset, rows: Rows) -> Figure:
    """The AUROC of each score in three forms, in both arms; row entropy by layer at the same position."""
    made = figure(PAGE, 4.4)
    axes = made.subplots(1, 3, width_ratios=[1.25, 1.25, 1])
    names = [name for name in SCORES if any(f"auroc/pooled/{name}/{arm}" in rows for arm in ARMS)][::-1]
    known = {"before": "", "word": " *", "later": " **"}
    labels = [f"{'+' if SCORES[name].sign > 0 else '−'} {SCORES[name].label}{known[SCORES[name].known]}" for name in names]
    counted = json.loads(data.attrs["counted"])
    for number, arm in enumerate(ARMS):
        series = []
        for form, (colour, marker) in KIND_LOOK.items():
            points = [_point(place, rows.get(f"auroc/{form}/{name}/{arm}")) for place, name in enumerate(names)]
            series.append((FORM_LABELS[form], colour, marker, [point for point in points if point]))
        forest(series, labels if number == 0 else [""] * len(labels), null=0.5, ax=axes[number])
        axes[number].set(xlabel="AUROC of hallucinated mentions", ylim=(-0.6, len(names) - 0.4))
        letter(axes[number], "ab"[number], f"{ARM_LABELS[arm]}: {counted['hallucinated'][arm]} of {counted['first'][arm]}")
    limits = [min(ax.get_xlim()[0] for ax in axes[:2]), max(ax.get_xlim()[1] for ax in axes[:2])]
    for ax in axes[:2]:
        ax.set_xlim(limits)
    legend_below(axes[0])
    layers = [int(layer) for layer in data["layer"].values]
    series = []
    for arm, marker in zip(ARMS, "os", strict=True):
        points = [_point(place, rows.get(f"auroc/stratified/entropy layer {layer}/{arm}")) for place, layer in enumerate(layers)]
        series.append((ARM_LABELS[arm], ARM_COLOURS[arm], marker, [point for point in points if point]))
    forest(series, [str(layer) for layer in layers], null=0.5, ax=axes[2])
    axes[2].set(xlabel="AUROC, same position", ylabel="layer")
    letter(axes[2], "c", "row entropy by layer")
    legend_below(axes[2])
    about = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 6}
    axes[1].annotate("* known with the word, ** later", (0.5, 0), xytext=(0, -33), **about)
    return made


def _point(place: int, row: Mapping[str, Any] | None) -> Point | None:
    return None if row is None else Point.of(place, row, bool(row["p_adjusted"] < LEVEL))


def survival(curves: list[dict[str, Any]]) -> Figure:
    """Incidence of the first hallucinated mention and captions free of one, by tokens and by objects named, both arms."""
    made = figure(PAGE, 2.5)
    axes = made.subplots(1, 4)
    titles = {"incidence": "have hallucinated", "survival": "free, had they gone on"}
    for number, (clock, name) in enumerate((clock, name) for clock in CLOCKS for name in titles):
        ax = axes[number]
        at_risk: dict = {}
        for curve in (one for one in curves if (one["clock"], one["curve"]) == (clock, name)):
            colour = ARM_COLOURS[curve["arm"]]
            time, estimate, low, high, left = (
                np.array([np.nan if value is None else value for value in curve[key]], dtype=float)
                for key in ("time", "estimate", "low", "high", "at_risk")
            )
            start = float(name == "survival")
            ax.step(np.append(0, time), np.append(start, estimate), where="post", color=colour, label=ARM_LABELS[curve["arm"]])
            ax.fill_between(time, low, high, step="post", color=colour, alpha=0.22, linewidth=0)
            at_risk["n" if not at_risk else " "] = (left.astype(int), colour)
        if not at_risk:
            continue
        ax.set(xlabel=CLOCKS[clock], ylabel="share of captions" if number == 0 else "", xlim=(0, time[-1]))
        ax.set_ylim(*((0, None) if name == "incidence" else (None, 1)))
        risk_table(time.astype(int), at_risk, marks=4, ax=ax)
        letter(ax, "abcd"[number], titles[name])
    legend(axes[2], loc="upper left")
    return made
