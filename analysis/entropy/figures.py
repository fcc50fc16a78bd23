"""The figures of the entropy question; every number comes from entropy.nc and entropy.json."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.entropy.names import CLASSES, CONTRASTS, REFERENCES
from analysis.entropy.panels import LEVEL, by_lag, by_layer, by_place
from analysis.plots.forest import Point, forest
from analysis.plots.heat import heat
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, BLACK, INDIGO, NULL_COLOUR, PAGE, SAND, WINE, figure, legend, legend_below, letter
from analysis.question.arms import ARMS, CONTRAST, CONTROL

Rows = Mapping[str, Mapping[str, Any]]
BARS = "Bars: {level:.4g} % cluster BCa interval over images. Filled: corrected p < 0.05 (sign flip over images"
NOTES = {
    "entropy_classes": "Bars: {level:.4g} % cluster BCa interval over images. Crossed out, open: corrected p ≥ 0.05 (sign flip over "
    "images, max-T over layers and heads,\nor over layers and the band). Centred: minus the mean over images at the "
    "same step. First: the first four generated tokens, whatever they are. Same tokens in both arms (replay).",
    "entropy_distance": f"{BARS}, max-T over layers and the band).\nOne correlation a caption, partial on the step; grey: central 95 % "
    "of its mean when entropies are turned round each caption. Same tokens in both arms (replay).",
    "random_walk": "Bars and bands: {level:.4g} % cluster BCa interval over images. Dashed: a random walk; dotted: white noise round a "
    "fixed mean.\nSteps from the first generated token on; layers weigh alike in the band. Filled: corrected p < 0.05 against the walk "
    "(sign flip over images, max-T over layers and band).",
}
CLASS_COLOURS = dict(zip(CLASSES, ("#999999", BLACK, WINE, SAND, INDIGO), strict=True))
CLASS_MARKERS = dict(zip(CLASSES, "xosD^", strict=True))
REFERENCE_LABELS = {"drift_mean": "mean so far", "drift_step": "previous state", "drift_image": "image", "drift_prompt": "prompt's end"}


def draw_all(data: xr.Dataset, rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    made = {"entropy_classes": entropy_classes(data, rows), "entropy_distance": entropy_distance(data, rows)}
    if "displacement" in data:
        made["random_walk"] = random_walk(data, rows)
    return made


def entropy_classes(data: xr.Dataset, rows: Rows) -> Figure:
    """Heads: mean entropy, contrast of punctuation, and what smoothing changes; classes by layer; contrasts of the band."""
    made = figure(PAGE, 5.4)
    (top,), (bottom,) = made.subfigures(2, 1, squeeze=False, height_ratios=[1.15, 1])
    axes = top.subplots(1, 3, sharey=True)
    titles = ("row entropy / ln(keys), no smoothing", "punctuation − words, centred", "KVSmooth − none, entropy / ln(keys)")
    kinds = (
        (f"heads/share/{CONTROL}", False, "share of ln n"),
        (f"heads/centred/punctuation - words/{CONTROL}", True, "nat"),
        (f"heads/share/{CONTRAST}", True, "share of ln n"),
    )
    layers, heads = data["layer"].values, data["head"].values
    for number, (kind, difference, unit) in enumerate(kinds):
        found = [[rows[f"{kind}/layer {layer}/head {head}"] for head in heads] for layer in layers]
        values = np.array([[row["estimate"] for row in line] for line in found])
        passed = np.array([[row["p_adjusted"] < LEVEL for row in line] for line in found]) if difference else None
        ax = axes[number]
        heat(values, layers, heads, difference=difference, label=unit, ax=ax)
        if passed is not None:
            places, columns = np.nonzero(~passed)
            ax.plot(heads[columns], places, "x", color="0.35", markersize=3, markeredgewidth=0.7)
        ax.set(xlabel="head", ylabel="layer" if number == 0 else "", xticks=heads)
        letter(ax, "abc"[number], titles[number])
    left, right = bottom.subplots(1, 2, width_ratios=[1.15, 1])
    for name in CLASSES:
        means = [rows.get(f"means/share/{name}/{CONTROL}/layer {layer}") for layer in layers]
        by_place(left, layers.tolist(), means, CLASS_COLOURS[name], CLASS_MARKERS[name], name)
    left.set(xlabel="layer", ylabel="row entropy / ln(keys)", xticks=layers[:: -(-len(layers) // 15)])
    letter(left, "d", "by token class, no smoothing")
    legend_below(left)
    shown = [name for name in CONTRASTS if f"classes/centred/{name}/{CONTROL}/band" in rows][::-1]
    series = []
    for arm, marker in zip(ARMS, "os", strict=True):
        points = []
        for place, name in enumerate(shown):
            row = rows[f"classes/centred/{name}/{arm}/band"]
            points.append(Point.of(place, row, row["p_adjusted"] < LEVEL))
        series.append((f"{ARM_LABELS[arm]}, n = {rows[f'classes/centred/{shown[-1]}/{arm}/band']['n']}", ARM_COLOURS[arm], marker, points))
    forest(series, [name.replace(" - ", " −\n") for name in shown], ax=right)
    right.set_xlabel("difference of centred entropy (nat)")
    right.locator_params(axis="x", nbins=5)
    letter(right, "e", f"contrasts of classes, layers {band_text(data)}")
    legend_below(right)
    return made


def entropy_distance(data: xr.Dataset, rows: Rows) -> Figure:
    """Rank correlation of entropy with four angles: by layer against its shift null; within classes for the band."""
    references = [name for name in REFERENCES if name in data["reference"].values]
    made = figure(PAGE, 4.6)
    axes = np.atleast_2d(made.subplots(2, len(references), height_ratios=[1.7, 1], sharex="row", sharey="row", squeeze=False))
    for column, reference in enumerate(references):
        ax = axes[0, column]
        by_layer(ax, data, rows, f"distance/{reference}/partial", f"shift_{reference}")
        ax.set_xlabel("partial Spearman ρ")
        ax.set_ylabel("layer" if column == 0 else "")
        letter(ax, "abcd"[column], f"angle to {REFERENCE_LABELS[reference]}")
        ax = axes[1, column]
        names = [str(name) for name in data["class"].values if str(name) != "first"][::-1]
        series = []
        for arm, marker in zip(ARMS, "os", strict=True):
            found = [rows[f"distance/{reference}/partial within class/{arm}/{name}"] for name in names]
            points = [Point.of(i, row, row["p_adjusted"] < LEVEL) for i, row in enumerate(found)]
            series.append((ARM_LABELS[arm], ARM_COLOURS[arm], marker, points))
        forest(series, names, ax=ax)
        ax.set_xlabel("partial Spearman ρ")
        letter(ax, "efgh"[column], "within a class, band")
    legend_below(axes[1, min(1, len(references) - 1)])
    return made


def random_walk(data: xr.Dataset, rows: Rows) -> Figure:
    """Growth of displacement, variance ratios and autocorrelations of increments with their nulls; the same by layer."""
    made = figure(PAGE, 4.9)
    axes = made.subplots(2, 3, height_ratios=[1, 1.35])
    lags = data["lag"].values.astype(float)
    kinds = (("displacement", "MSD(lag) / MSD(1)"), ("variance ratio", "MSD(lag) / (lag × MSD(1))"), ("autocorrelation", "correlation"))
    for number, (kind, label) in enumerate(kinds):
        ax = axes[0, number]
        by_lag(ax, data, rows, kind, lags)
        ax.set(
            xlabel=f"lag (tokens), layers {band_text(data)}",
            ylabel=label,
            xscale="log",
            xticks=lags,
            xticklabels=[f"{lag:g}" for lag in lags],
        )
        ax.minorticks_off()
        letter(ax, "abc"[number], ("displacement", "variance ratio", "increments")[number])
    axes[0, 0].set_yscale("log")
    legend(axes[0, 1], fontsize=5.2, loc="upper right", bbox_to_anchor=(1.04, 0.97))
    regime = "free" if "free" in data["regime"].values else str(data["regime"].values[0])
    below = (
        (f"walk/slope/{regime}", 1.0, "slope of ln MSD on ln lag"),
        (f"walk/variance ratio/{regime}", 1.0, "variance ratio, lag 8"),
        (f"walk/autocorrelation/{regime}", 0.0, "autocorrelation, lag 1"),
    )
    for number, (kind, null, label) in enumerate(below):
        ax = axes[1, number]
        after = ("", "/lag 8", "/lag 1")[number]
        by_layer(ax, data, rows, kind, None, null=null, after=after)
        if number == 2:
            ax.axvline(-0.5, color=NULL_COLOUR, linestyle=":", linewidth=0.9)
        ax.set(xlabel=label, ylabel="layer" if number == 0 else "")
        letter(ax, "def"[number], "by layer, own captions" if regime == "free" else "by layer, same captions")
    legend_below(axes[1, 1])
    return made


def band_text(data: xr.Dataset) -> str:
    """The smoothed layers as "3–10"."""
    layers = json.loads(data.attrs["band"])
    return f"{layers[0]}–{layers[-1]}" if len(layers) > 1 else str(layers[0])
