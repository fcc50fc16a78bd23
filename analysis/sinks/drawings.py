"""Drawings of the sinks question on axes that are given: matrices of agreement, AUROC with its nulls, histograms with theirs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.patches import Rectangle

from analysis.plots.style import ARM_COLOURS, BLACK, DIVERGING, KIND_LOOK, NULL_COLOUR, SEQUENTIAL
from analysis.sinks.names import KINDS
from analysis.sinks.style import LEADS, SAME_TOKEN, label

Rows = Mapping[str, Mapping[str, Any]]
MISSING = "0.88"


def matrix(ax: Axes, rows: Rows, group: str, known: Mapping[str, str], *, first: bool) -> tuple[QuadMesh, QuadMesh]:
    """Spearman below and Jaccard above the diagonal, detectors in the order of `known`, a strip of lead times along both sides."""
    names = list(known)
    size = len(names)
    below, above = np.full((size, size), np.nan), np.full((size, size), np.nan)
    for i, one in enumerate(names):
        for k, other in enumerate(names):
            for measure, values, side in (("spearman", below, i > k), ("jaccard", above, i < k)):
                if side:
                    row = rows.get(f"agreement/{group}/{measure}/{one}/{other}") or rows[f"agreement/{group}/{measure}/{other}/{one}"]
                    values[i, k] = row["estimate"]
    edges = np.arange(size + 1) - 0.5
    ax.set_facecolor(MISSING)
    masked = [np.ma.masked_invalid(values) for values in (below, above)]
    meshes = (
        ax.pcolormesh(edges, edges, masked[0], cmap=DIVERGING, vmin=-1, vmax=1, rasterized=True),
        ax.pcolormesh(edges, edges, masked[1], cmap=SEQUENTIAL, vmin=0, vmax=1, rasterized=True),
    )
    for i, name in enumerate(names):
        shade = LEADS[known[name]]
        ax.add_patch(_box(-1.3, i - 0.5, 0.7, 1.0, shade))
        ax.add_patch(_box(i - 0.5, size - 0.4, 1.0, 0.7, shade))
        ax.add_patch(_box(i - 0.5, i - 0.5, 1.0, 1.0, "white"))
    ax.set_xticks(range(size), [label(name) for name in names], rotation=90, fontsize=5.5)
    ax.set_yticks(range(size), [label(name) for name in names] if first else [], fontsize=5.5)
    ax.tick_params(length=0, pad=2)
    ax.set(xlim=(-1.4, size - 0.5), ylim=(size + 0.4, -0.5), aspect="equal")
    for spine in ax.spines.values():
        spine.set_visible(False)
    return meshes


def _box(left: float, bottom: float, width: float, height: float, shade: str) -> Rectangle:
    return Rectangle((left, bottom), width, height, facecolor=shade, edgecolor="none")


def against_windows(ax: Axes, data: xr.Dataset, rows: Rows, name: str) -> None:
    """The three AUROCs of one score against the window, their intervals as bands, the shifted null of the within-image one in grey."""
    windows = data["window"].values
    ax.axhline(0.5, color="0.6", linewidth=0.6, zorder=0)
    low, high = (data["null_band"].sel(null="shifted", scorer=name, bound=bound).values for bound in ("low", "high"))
    ax.fill_between(windows, low, high, color="0.8", linewidth=0, zorder=1)
    for kind in KINDS:
        shade, marker = KIND_LOOK[kind]
        found = [rows[f"prediction/{kind}/{name}/w{width}"] for width in windows]
        limits = np.array([row["interval"] for row in found])
        ax.fill_between(windows, limits[:, 0], limits[:, 1], color=shade, alpha=0.25, linewidth=0, zorder=2)
        ax.plot(windows, [row["estimate"] for row in found], color=shade, marker=marker, markersize=2.2, linewidth=0.9, zorder=3)
    ax.set_xscale("log")
    ax.set_xticks(windows, [str(width) for width in windows])
    ax.minorticks_off()
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1], ["0", ".5", "1"])


def forest_of_kinds(ax: Axes, data: xr.Dataset, rows: Rows, names: Sequence[str]) -> None:
    """At the main window, one line a score from below: pooled, within, stratified with intervals; nulls as ticks."""
    window = int(data.attrs["main_window"])
    ax.axvline(0.5, color="0.6", linewidth=0.6, zorder=0)
    for place, name in enumerate(names):
        for shift, kind in zip((0.3, 0.07, -0.17), KINDS, strict=True):
            shade, marker = KIND_LOOK[kind]
            row = rows[f"prediction/{kind}/{name}/w{window}"]
            ax.plot(row["interval"], [place + shift] * 2, color=shade, linewidth=1.1, solid_capstyle="butt")
            ax.plot(row["estimate"], place + shift, marker, color=shade, markersize=2.8, label=_once(ax, kind))
            nulls = (data["null_band"].sel(bound="estimate", scorer=name, window=window) if kind == "within" else None,)
            values = nulls[0] if nulls[0] is not None else data["shuffled"].sel(kind=kind, scorer=name)
            for null, sign in (("permuted", "|"), ("shifted", "x")):
                ax.plot(float(values.sel(null=null)), place + shift, sign, color=NULL_COLOUR, markersize=3, markeredgewidth=0.6)
        row, (shade, marker) = rows[f"prediction/same token/{name}/w{window}"], SAME_TOKEN
        if np.isnan(row["estimate"]):
            continue
        ax.plot(row["interval"], [place - 0.4] * 2, color=shade, linewidth=1.1, solid_capstyle="butt")
        ax.plot(row["estimate"], place - 0.4, marker, color=shade, markersize=2.8, label=_once(ax, "same token"))
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    ax.set(xlabel="AUROC", xlim=(0, 1), ylim=(-0.7, len(names) - 0.3))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=4, columnspacing=1.0, handletextpad=0.3)


def _once(ax: Axes, kind: str) -> str | None:
    return None if kind in ax.get_legend_handles_labels()[1] else kind


def histogram(ax: Axes, data: xr.Dataset, relation: str, received: str) -> None:
    """Over captions: the relation as observed, in random order, turned round the caption; its value under uniform attention.

    Correlations also without the first token in the row entropies. Not a cosine, whose values in random order are others there.
    """
    values = data["observed"].sel(relation=relation, received=received)
    shown = {name: values.sel(variant=name).values for name in ("permuted", "shifted", "observed")}
    if relation != "cosine" and "observed_without_first" in data:
        shown["without"] = data["observed_without_first"].sel(relation=relation, received=received, variant="observed").values
    shown = {name: found[np.isfinite(found)] for name, found in shown.items()}
    every = np.concatenate(list(shown.values()))
    low, high = (every.min(), every.max()) if every.size else (0.0, 1.0)
    pad = max(0.08 * (high - low), 0.02)
    bins = (np.linspace(low, high, 41) if high > low else np.linspace(low - pad, low + pad, 41)).tolist()
    ax.hist(shown["permuted"], bins=bins, color=NULL_COLOUR, alpha=0.6, label="random order")
    ax.hist(shown["shifted"], bins=bins, histtype="step", color="k", linewidth=0.7, label="turned")
    ax.hist(shown["observed"], bins=bins, color=ARM_COLOURS["baseline"], alpha=0.75, label="observed")
    if "without" in shown:
        look: dict[str, Any] = {"histtype": "step", "color": ARM_COLOURS["baseline"], "linewidth": 1.2}
        ax.hist(shown["without"], bins=bins, label="observed, first token left out of the row", **look)
    ax.set_xlim(low - pad, high + pad)
    uniform = values.sel(variant="uniform").values
    if np.isfinite(uniform).any():
        # far outside in every caption: an arrow to it leaves the room to the others
        value = float(np.nanmean(uniform))
        left = value < (low + high) / 2
        inside = low - pad <= value <= high + pad
        tip = value if inside else (low - pad if left else high + pad)
        about: dict[str, Any] = {
            "xycoords": ax.get_xaxis_transform(),
            "textcoords": "offset points",
            "color": BLACK,
            "fontsize": 5.5,
            "va": "center",
        }
        arrow = {"arrowstyle": "->", "color": BLACK, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 0}
        text = f"uniform {value:.2f}".replace("-", "\N{MINUS SIGN}")
        ax.annotate(text, (tip, 0.94), xytext=(14 if left else -14, 0), ha="left" if left else "right", arrowprops=arrow, **about)
    ax.set_ylim(0, 1.2 * ax.get_ylim()[1])
    ax.locator_params(axis="both", nbins=4)


def heads(ax: Axes, data: xr.Dataset, received: str) -> QuadMesh:
    """Mean Spearman of each layer (columns) and head (rows) over captions."""
    values = data["by_head"].sel(received=received).mean("image").transpose("head", "layer").values
    edges = [np.arange(number + 1) - 0.5 for number in values.shape]
    mesh = ax.pcolormesh(edges[1], edges[0], values, cmap=DIVERGING, vmin=-1, vmax=1, rasterized=True)
    few = values.size <= 240
    for (head, layer), value in np.ndenumerate(values):
        if few and np.isfinite(value):
            shade = "white" if abs(value) > 0.6 else "0.15"
            ax.text(layer, head, f"{value:.1f}".replace("-0.0", "0.0"), ha="center", va="center", fontsize=4.5, color=shade)
    every = max(1, int(np.ceil(values.shape[1] / 16)))
    ax.set_xticks(np.arange(values.shape[1])[::every])
    ax.set_yticks(np.arange(values.shape[0])[:: max(1, int(np.ceil(values.shape[0] / 8)))])
    ax.set(xlabel="layer", ylabel="head")
    return mesh


def by_place(ax: Axes, data: xr.Dataset, place: str, names: Sequence[str]) -> QuadMesh:
    """Share of tokens and heads on which each detector fires, by layer."""
    values = data["fires"].sel(place=place, detector=list(names)).mean("image").transpose("detector", "layer").values
    edges = [np.arange(number + 1) - 0.5 for number in values.shape]
    ax.set_facecolor(MISSING)
    mesh = ax.pcolormesh(edges[1], edges[0], np.ma.masked_invalid(values), cmap=SEQUENTIAL, vmin=0, vmax=1, rasterized=True)
    for line, share in enumerate(np.nanmean(values, axis=1) if np.isfinite(values).any() else []):
        told = "never" if share == 0 else "< 0.1%" if share < 0.0005 else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
        shade = "white" if share < 0.6 else "0.1"
        ax.text((values.shape[1] - 1) / 2, line, told, ha="center", va="center", fontsize=5.5, color=shade)
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    every = max(1, int(np.ceil(values.shape[1] / 6)))
    ax.set_xticks(np.arange(values.shape[1])[::every])
    ax.set_xlabel("layer")
    return mesh


def validation(ax: Axes, data: xr.Dataset, rows: Rows, measure: str, names: Sequence[str]) -> None:
    """Precision or recall of each detector's tokens, with its interval and the number of tokens that it is a share of."""
    for place, name in enumerate(names):
        row = rows[f"received attention above {float(data.attrs['eps']):g}/{measure}/{name}"]
        if np.isfinite(row["estimate"]):
            ax.plot(row["interval"], [place] * 2, color="0.2", linewidth=1, solid_capstyle="butt")
            ax.plot(row["estimate"], place, "o", color="0.2", markersize=3)
        told = f"of {row['effect']['tokens']:,.0f}" if row["effect"]["tokens"] else "never fires" if measure == "precision" else "no sink"
        ax.text(1.04, place, told, fontsize=5.5, va="center", ha="left", color="0.35", clip_on=False)
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(names) - 0.4), xlabel=f"{measure} (share of tokens, all layers)")
