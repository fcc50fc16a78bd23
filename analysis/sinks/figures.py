"""The figures of the sinks question; every number comes from sinks.nc and sinks.json."""

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.plots.style import DIVERGING, KIND_LOOK, PAGE, figure, letter
from analysis.sinks.anatomy.drawings import NOTE, anatomy
from analysis.sinks.drawings import Rows, against_windows, by_place, forest_of_kinds, heads, histogram, matrix, validation
from analysis.sinks.names import GROUPS, PLACES
from analysis.sinks.observation import RECEIVED, RELATIONS
from analysis.sinks.style import KIND_LABELS, LEAD_LABELS, LEADS, colour, label, leads, ranked

BARS = "{level:.4g} % cluster BCa interval over images"
NOTES = {
    "agreement": "Mean over images and layers, tokens of one group within each image and layer. Grey: constant in the group.\n"
    "Jaccard of two unrelated tenths: 0.05.",
    "prediction": f"Target: the tenth of an image's tokens in a layer that receives most from the next w queries. Bands: {BARS}; grey: "
    "{level:.4g} % of labels turned round the caption\n(same image). Pairs lie within a layer, layers are added up. Token, elsewhere: "
    "how often the same token was positive in other images. Brown names: ceilings, no predictors.",
    "prediction_layers": f"Bars: {BARS}. Target and colours of names as in the figure against w. Grey | and ×: labels in random order and\n"
    "turned round the caption. Stratified: pairs at the same step. Same token: pairs of one token id.",
    "observation2": "Each caption counts once: mean over layers and heads. Turned: row entropies shifted round the caption.\n"
    "Arrow: value under exactly uniform attention of the same lengths. Both nulls and the arrow are of whole rows.",
    "prevalence": f"Thresholds as published, but for φ: energy share of one channel above 0.1. Bars: {BARS}. Sinks: tokens that some\n"
    "head gives more than 0.3, on average over the queries from the token on; mean received is the criterion itself.",
    "anatomy": NOTE,
}


def draw_all(data: xr.Dataset, rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    return {
        "agreement": agreement(data, rows),
        "prediction": prediction(data, rows),
        "prediction_layers": prediction_layers(data, rows),
        "observation2": observation2(data),
        "prevalence": prevalence(data, rows),
        "anatomy": anatomy(data),
    }


def agreement(data: xr.Dataset, rows: Rows) -> Figure:
    """Rank correlation below the diagonal, overlap at 10 % above it, for generated, prompt and image tokens; lead time at the side."""
    made = figure(PAGE, 3.5)
    grid = made.add_gridspec(2, 3, height_ratios=[1, 0.035])
    known = leads(data)
    for number, group in enumerate(GROUPS):
        ax = made.add_subplot(grid[0, number])
        below, above = matrix(ax, rows, group, known, first=number == 0)
        letter(ax, "abc"[number], f"{group} tokens")
    for number, (mesh, told) in enumerate(((below, "below the diagonal: Spearman ρ"), (above, "above it: Jaccard of the top 10 %"))):
        bar = made.colorbar(mesh, cax=made.add_subplot(grid[1, number]), orientation="horizontal", label=told)
        bar.outline.set_visible(False)
    corner = made.add_subplot(grid[1, 2])
    corner.set_axis_off()
    patches = [Patch(color=LEADS[lead], label=LEAD_LABELS[lead]) for lead in LEADS]
    corner.legend(handles=patches, loc="center", ncols=2, fontsize=5.2, columnspacing=0.8, handlelength=0.8, bbox_to_anchor=(0.45, -1.0))
    return made


def prediction(data: xr.Dataset, rows: Rows) -> Figure:
    """AUROC against the window for every score that varies, one small panel each: pooled, within the image, at the same step."""
    names, known = ranked(data), leads(data)
    columns = 6
    lines = int(np.ceil(len(names) / columns))
    made = figure(PAGE, 1.15 * lines + 0.8)
    (top,), (bottom,) = made.subfigures(2, 1, squeeze=False, height_ratios=[1.15 * lines, 0.32])
    axes = top.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        against_windows(ax, data, rows, name)
        ax.set_title(label(name), color=colour(name, known), pad=3, fontsize=7)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for number, ax in enumerate(axes[: len(names)]):
        if number % columns == 0:
            ax.set_ylabel("AUROC")
        if number + columns >= len(names):
            ax.set_xlabel("next queries w")
            ax.tick_params(labelbottom=True)
    handles: list[Artist] = [
        Line2D([], [], color=shade, marker=marker, label=KIND_LABELS[kind]) for kind, (shade, marker) in KIND_LOOK.items()
    ]
    handles.append(Patch(color="0.8", label="shuffle null"))
    leading = [Patch(color=LEADS[lead], label=f"known {LEAD_LABELS[lead]}") for lead in ("before", "step", "later")]
    bottom.legend(handles=[*handles, *leading], loc="center", ncols=4, fontsize=6)
    return made


def prediction_layers(data: xr.Dataset, rows: Rows) -> Figure:
    """At the main window: the three AUROCs with intervals and nulls, and the stratified one by layer."""
    names, known = ranked(data)[::-1], leads(data)
    window = int(data.attrs["main_window"])
    made = figure(PAGE, 4.6)
    left, right = made.subplots(1, 2, width_ratios=[1.35, 1], sharey=True)
    forest_of_kinds(left, data, rows, names)
    _coloured(left, names, known)
    letter(left, "a", f"attention from the next {window} queries")
    values = data["by_layer"].sel(kind="stratified", scorer=names).values
    edges = np.arange(values.shape[1] + 1) - 0.5
    mesh = right.pcolormesh(edges, np.arange(len(names) + 1) - 0.5, values, cmap=DIVERGING, vmin=0, vmax=1, rasterized=True)
    every = -(-values.shape[1] // 16)
    for (line, layer), value in np.ndenumerate(values):
        if every == 1 and np.isfinite(value):  # more layers leave no room for numbers
            strong = abs(value - 0.5) > 0.3
            right.text(layer, line, f"{100 * value:.0f}", ha="center", va="center", fontsize=4.8, color="white" if strong else "0.15")
    right.set(xlabel="layer", xticks=np.arange(values.shape[1])[::every])
    right.tick_params(left=False)
    letter(right, "b", "same step, by layer" + (" (AUROC × 100)" if every == 1 else ""))
    made.colorbar(mesh, ax=right, location="bottom", pad=0.02, aspect=30, label="AUROC, same step").outline.set_visible(False)
    return made


def observation2(data: xr.Dataset) -> Figure:
    """Entropy against received attention: cosine beside correlations, each with its nulls; Spearman by layer and head."""
    made = figure(PAGE, 4.7)
    (top,), (bottom,) = made.subfigures(2, 1, squeeze=False, height_ratios=[1.75, 1])
    names = {"column_sum": "column sum", "mean_received": "mean received"}
    axes = top.subplots(2, 4)
    for line, received in enumerate(RECEIVED):
        for column, relation in enumerate(RELATIONS):
            ax = axes[line, column]
            histogram(ax, data, relation, received)
            letter(ax, "abcdefgh"[4 * line + column], _SIGNS[relation])
            ax.set_ylabel(f"{names[received]}\ncaptions" if column == 0 else "")
    handles, told = axes[0, -1].get_legend_handles_labels()
    top.legend(handles, told, loc="outside lower center", ncols=4)
    axes = bottom.subplots(1, 2, sharey=True)
    for number, (ax, received) in enumerate(zip(axes, RECEIVED, strict=True)):
        mesh = heads(ax, data, received)
        letter(ax, "ij"[number], f"Spearman by layer and head, {names[received]}")
    axes[1].set_ylabel("")
    bottom.colorbar(mesh, ax=axes, location="right", pad=0.01, aspect=14, label="Spearman ρ").outline.set_visible(False)
    return made


_SIGNS = {"cosine": "cosine (uncentred)", "pearson": "Pearson r", "spearman": "Spearman ρ", "kendall": "Kendall τ-b"}


def prevalence(data: xr.Dataset, rows: Rows) -> Figure:
    """How often each thresholded detector fires, by layer and token group; how its tokens compare with received attention."""
    known = leads(data)
    names = [name for name in known if name in data["detector"].values][::-1]
    made = figure(PAGE, 3.9)
    (top,), (bottom,) = made.subfigures(2, 1, squeeze=False, height_ratios=[1.15, 1])
    titles = {"bos": "BOS", "prompt": "prompt text", "image": "image tokens", "generated": "generated tokens"}
    axes = top.subplots(1, 4, sharey=True)
    for number, (ax, place) in enumerate(zip(axes, PLACES, strict=True)):
        mesh = by_place(ax, data, place, names)
        ax.tick_params(left=False)
        letter(ax, "abcd"[number], titles[place])
    _coloured(axes[0], names, known)
    top.colorbar(mesh, ax=axes, location="right", pad=0.01, aspect=22, label="share that fires").outline.set_visible(False)
    axes = bottom.subplots(1, 2, sharey=True)
    for number, measure in enumerate(("precision", "recall")):
        validation(axes[number], data, rows, measure, names)
        letter(axes[number], "ef"[number], f"{measure} against received attention above {float(data.attrs['eps']):g}")
    _coloured(axes[0], names, known)
    return made


def _coloured(ax: Axes, names: list[str], known: dict[str, str]) -> None:
    for text, name in zip(ax.get_yticklabels(), names, strict=True):
        text.set_color(colour(name, known))
