"""The figures of the drift question, composed of drawings in analysis.plots; every number comes from drift.nc and drift.json."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.drift.panels import (
    REGIMES,
    Rows,
    band,
    band_text,
    by_layer,
    curves,
    difference_map,
    differences,
    first_regime,
    groups,
    level,
    same_limits,
    uniform,
)
from analysis.plots.rates import clipped, ecdf
from analysis.plots.style import ARM_LABELS, KIND_COLOURS, NULL_COLOUR, PAGE, WINE, figure, legend, legend_above, legend_below, letter
from analysis.question.arms import CONTROL, TREATED

HEADROOM = 1.08  # of the highest limit, so that no point lies on the frame


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
    made = figure(PAGE, 4.9)
    axes = made.subplots(2, 2, width_ratios=[1.25, 1])
    for ax, regime, text in zip((axes[0, 0], axes[0, 1]), REGIMES, "ab", strict=True):
        curves(ax, reduced, regime, "entropy")
        letter(ax, text, f"{regime} ({REGIMES[regime]}), layers {band_text(reduced)}")
    same_limits(axes[0])
    legend(axes[0, 0])
    difference_map(axes[1, 0], reduced, "replay", "entropy", "difference of entropy (nat)")
    letter(axes[1, 0], "c", "KVSmooth minus no smoothing, replay")
    by_layer(axes[1, 1], reduced, rows, "entropy", "mean", "difference of entropy (nat)")
    letter(axes[1, 1], "d", "the same by layer, mean over steps")
    legend_below(axes[1, 1])
    return made


def visual_mass(reduced: xr.Dataset, rows: Rows) -> Figure:
    """Visual mass beside what uniform attention would give; what is left after dilution; where attention goes instead."""
    made = figure(PAGE, 6.8)
    axes = made.subplots(3, 2)
    regime = first_regime(reduced)
    curves(axes[0, 0], reduced, regime, "mass_image")
    uniform(axes[0, 0], reduced, regime, CONTROL, NULL_COLOUR, "uniform attention")
    axes[0, 0].set_ylabel("attention on the image (share)")
    legend(axes[0, 0])
    letter(axes[0, 0], "a", f"visual mass and its dilution null, {regime}")
    curves(axes[0, 1], reduced, regime, "excess_image")
    axes[0, 1].axhline(0, color=NULL_COLOUR, linestyle="--", linewidth=1)
    letter(axes[0, 1], "b", f"excess over dilution, layers {band_text(reduced)}")
    for ax, arm, text in zip(axes[1], (CONTROL, TREATED), "cd", strict=True):
        groups(ax, reduced, regime, arm)
        letter(ax, text, f"attention by group of keys, {ARM_LABELS[arm]}")
    legend(axes[1, 1], loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)
    difference_map(axes[2, 0], reduced, regime, "excess_image", "difference of log excess (ln)")
    letter(axes[2, 0], "e", f"KVSmooth minus no smoothing, {regime}")
    by_layer(axes[2, 1], reduced, rows, "excess_image", "mean", "difference of log excess (ln)")
    letter(axes[2, 1], "f", "the same by layer, mean over steps")
    legend_below(axes[2, 1])
    return made


def drift(reduced: xr.Dataset, rows: Rows) -> Figure:
    """What smoothing changes of the angle to the previous step, to the image and to the prompt, sink channels masked and not."""
    made = figure(PAGE, 6.8)
    axes = made.subplots(3, 3)
    regime = first_regime(reduced)
    targets = {"step": "previous step", "image": "mean image state", "prompt": "last prompt token"}
    for column, (to, words) in enumerate(targets.items()):
        top, middle, bottom = axes[:, column]
        differences(top, reduced, regime, f"drift_{to}", label="sink channels masked")
        differences(top, reduced, regime, f"drift_{to}_all", style=":", label="all channels")
        top.set_ylabel("KVSmooth − none (rad)" if column == 0 else "")
        letter(top, "abc"[column], f"to the {words}")
        without, (low, high) = f"without smoothing {level(reduced, regime, f'drift_{to}'):.2f} rad", top.get_ylim()
        top.set_ylim(low - 0.12 * (high - low), high)  # room for the words
        top.text(0.98, 0.02, without, transform=top.transAxes, ha="right", va="bottom", fontsize=5.5, color="0.3")
        difference_map(middle, reduced, regime, f"drift_{to}", "rad")
        letter(middle, "def"[column], "KVSmooth − none, masked")
        by_layer(bottom, reduced, rows, f"drift_{to}", "mean", "difference (rad)")
        letter(bottom, "ghi"[column], "by layer, masked")
        if column:
            middle.set_ylabel("")
            bottom.set_ylabel("")
    legend_above(made, axes[0, 0])
    legend_below(axes[2, 0])
    return made


def smoothing(reduced: xr.Dataset, rows: Rows) -> Figure:
    """What the smoothing did: its rates, the shares on its clips, and how far keys and values moved."""
    made = figure(PAGE, 2.5)
    left, middle, right = made.subplots(1, 3)
    regime = first_regime(reduced)
    layers = reduced["layer"].values
    touched = np.isin(layers, band(reduced))
    if "share_floor" in reduced:
        data = reduced.sel(regime=regime)
        names = [[f"{regime}/share_{side}/mean/{TREATED}/layer {layer}" for layer in layers[touched]] for side in ("floor", "ceiling")]
        ecdf(data["rate"].values, data["rate_ecdf"].transpose("layer", "rate").values, layers, ax=left)
        floor, ceiling = (np.array([rows[name]["estimate"] if name in rows else np.nan for name in side]) for side in names)
        low, high = float(data["rate_floor"]), float(data["rate_ceiling"])
        shares = [
            (f"at floor {low:.2g}", "#4D4D4D", floor),
            ("between", "#DDDDDD", 1 - floor - ceiling),
            (f"at ceiling {high:.2g}", WINE, ceiling),
        ]
        clipped(shares, layers[touched], ax=middle)
        legend(left, loc="upper left")
        legend_below(middle)
    left.set(xlabel="smoothing rate λ", ylabel="share of steps with rate ≤ λ", xlim=(0, 1))
    letter(left, "a", f"rates by layer, {regime}")
    middle.set(xlabel="layer", ylabel="share of steps")
    letter(middle, "b", "clipped rates")
    for kind, colour in KIND_COLOURS.items():
        points = [rows.get(f"{regime}/change_{kind}/mean/{TREATED}/layer {layer}") for layer in layers]
        found = [row for row in points if row and np.isfinite(row["estimate"])]
        place, estimate = [row["where"]["layer"] for row in found], np.array([row["estimate"] for row in found])
        limits = np.array([row["interval"] for row in found], dtype=float).reshape(-1, 2)
        reach = np.nan_to_num(np.abs(limits - estimate[:, None])).T
        right.errorbar(place, estimate, yerr=reach, fmt="o-", color=colour, capsize=0, elinewidth=0.9, label=kind)
    every = max(1, int(np.ceil(touched.sum() / 16)))
    top = HEADROOM * right.dataLim.ymax if 0 < right.dataLim.ymax < np.inf else None
    right.set_xticks(layers[touched][::every])
    right.set(xlabel="layer", ylabel="‖change‖ / ‖raw‖", ylim=(0, top))
    letter(right, "c", "relative change a step")
    legend(right)
    return made
