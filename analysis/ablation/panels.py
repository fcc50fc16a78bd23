"""Panels of the ablation's figures: rows of the results file on given axes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from analysis.cells.measures import MEASURES
from analysis.cells.names import BASELINE, MIX_WORDS, PAPER
from analysis.plots.forest import Point, forest
from analysis.plots.style import ARM_COLOURS, BETTER, BLACK, CONSTANT_COLOUR, KIND_COLOURS, NULL_COLOUR, WORSE

Rows = Mapping[str, Mapping[str, Any]]
ALPHA = 0.05
FOUR = ("chair_i", "chair_s", "f1", "length")
SIX = ("chair_i", "chair_s", "recall", "f1", "length", "looping")
LABELS = {
    **{name: measure.label for name, measure in MEASURES.items()},
    "chair_i_matched": "CHAIR_i, same mentions",
    "chair_s_matched": "CHAIR_s, same words",
    "hazard": "hazard",
    "length": "length (words)",
}
SAME = "0.5"


def known(row: Mapping[str, Any] | None) -> bool:
    """Whether a row is there and has a number."""
    return row is not None and math.isfinite(row["estimate"])


def passes(row: Mapping[str, Any]) -> bool:
    """Whether the corrected test rejects."""
    return row["p_adjusted"] < ALPHA


def told(cell: str, rows: Rows) -> str:
    """A cell's name with its realised mean rate."""
    row = rows.get(f"{cell}/rate")
    shown = "KVSmooth" if cell == PAPER else MIX_WORDS.get(cell, cell.replace("_", " "))
    return f"{shown} ({row['estimate']:.2f})" if known(row) else shown


def differences(ax: Axes, rows: Rows, pairs: Sequence[tuple[str, str]], labels: Sequence[str], measure: str) -> None:
    """Paired differences of one measure, one line a pair, the first on top; filled, and good or bad by colour, where the test rejects.

    Where equivalence was tested: its zone shaded, and a ring round the differences that lie in it by two one-sided tests.
    """
    places = range(len(pairs) - 1, -1, -1)
    points, rings, margin = [], [], None
    for place, (treated, control) in zip(places, pairs, strict=True):
        row = rows.get(f"{treated} - {control}/{measure}")
        if known(row):
            points.append(Point.of(place, row, passes(row), _worth(row, measure)))
            margin = row["effect"].get("margin")
            if row["effect"].get("equivalent") == 1:
                rings.append((row["estimate"], place))
    if margin is not None:
        ax.axvspan(-margin, margin, color=SAME, alpha=0.13, linewidth=0)
        if rings:
            ax.plot(*zip(*rings, strict=True), "o", markersize=6.5, markerfacecolor="none", markeredgecolor=SAME, markeredgewidth=0.9)
    forest([(LABELS[measure], BLACK, "o", points)], [""] * len(pairs), ax=ax)
    ax.set_yticks(range(len(pairs)), list(labels)[::-1])
    narrow = ax.get_subplotspec().get_gridspec().ncols > len(FOUR)
    ax.locator_params(axis="x", nbins=2 if narrow else 4, steps=[1, 2, 5, 10])
    if narrow:  # 0 and not 0.00: numbers of four digits run into one another
        ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("Δ")


def _worth(row: Mapping[str, Any], measure: str) -> str | None:
    """The colour of a difference that the test finds, where one direction is the better one."""
    upwards = MEASURES[measure].higher_is_better
    return None if upwards is None or not passes(row) else BETTER if (row["estimate"] > 0) == upwards else WORSE


def shared_labels(axes: Iterable[Axes]) -> None:
    """Names of the lines stand at the first panel only."""
    for ax in list(axes)[1:]:
        ax.tick_params(labelleft=False)


def by_layer(ax: Axes, rows: Rows, single: Mapping[int, str], bands: Mapping[tuple[int, int], str], measure: str) -> None:
    """Differences to the baseline: a point for each layer smoothed alone, a bar over the layers of a band smoothed together."""
    ax.axhline(0, color="0.6", linewidth=0.6, zorder=0)
    for (first, last), cell in bands.items():
        row = rows.get(f"{cell} - {BASELINE}/{measure}")
        if known(row):
            low, high = row["interval"]
            colour = ARM_COLOURS["kvsmooth"] if cell == PAPER else NULL_COLOUR
            ends = [first - 0.35, last + 0.35]
            ax.plot(ends, [row["estimate"]] * 2, color=colour, linewidth=1.6, linestyle="-" if passes(row) else (0, (1.5, 1)), zorder=2)
            ax.fill_between(ends, low, high, color=colour, alpha=0.2, linewidth=0, zorder=1)
    for layer, cell in single.items():
        row = rows.get(f"{cell} - {BASELINE}/{measure}")
        if known(row):
            ax.plot([layer, layer], row["interval"], color=BLACK, linewidth=0.9, zorder=3)
            face = BLACK if passes(row) else "white"
            ax.plot(layer, row["estimate"], "o", color=BLACK, markerfacecolor=face, markeredgewidth=0.7, zorder=4)
    layers = list(single)
    ax.set_xticks(layers[:: max(1, int(np.ceil(len(layers) / 6)))])
    ax.set(xlabel="layer", ylabel="Δ")


def two_by_two(ax: Axes, rows: Rows, measure: str) -> None:
    """Levels with intervals: keys not smoothed and smoothed along the axis, a line for values not smoothed and one for smoothed."""
    lines = {
        "values as they are": ((BASELINE, "keys only"), BLACK, "o", "-"),
        "values smoothed": (("values only", PAPER), KIND_COLOURS["value"], "s", "--"),
    }
    for i, (label, (cells, colour, marker, style)) in enumerate(lines.items()):
        found = [rows.get(f"{cell}/{measure}") for cell in cells]
        if all(map(known, found)):
            x = np.arange(2) + 0.06 * (i - 0.5)
            ax.plot(x, [row["estimate"] for row in found], marker + style, color=colour, label=label)
            for at, row in zip(x, found, strict=True):
                ax.plot([at, at], row["interval"], color=colour, linewidth=0.9)
    extra = rows.get(f"output only/{measure}")
    if known(extra):
        ax.plot([1.8], [extra["estimate"]], "D", color=NULL_COLOUR, label="attention output smoothed, nothing cached")
        ax.plot([1.8, 1.8], extra["interval"], color=NULL_COLOUR, linewidth=0.9)
    both = rows.get(f"keys x values/interaction/{measure}")
    if known(both):
        low, high = both["interval"]
        digits = 1 if abs(both["estimate"]) >= 1 else 3
        told = f"K × V {both['estimate']:+.{digits}f}\n[{low:.{digits}f}, {high:.{digits}f}]"
        ax.annotate(told, (0.02, 0.98), xycoords="axes fraction", va="top", fontsize=5.8, color="0.25")
    ax.set_xticks([0, 1, 1.8], ["keys\nas is", "keys\nsmoothed", "output"])
    ax.set_xlim(-0.35, 2.15)
    ax.margins(y=0.25)
    ax.set_ylabel(LABELS[measure])


def curve(ax: Axes, rows: Rows, constant: Sequence[str], guided: Sequence[str], measure: str) -> None:
    """A measure over the realised mean rate: the curve of constant rates with its band, and the guided cells as points."""
    found = [(rows[f"{cell}/rate"]["estimate"], rows[f"{cell}/{measure}"]) for cell in constant]
    rate, level = np.array([x for x, _ in found]), [row for _, row in found]
    limits = np.array([row["interval"] for row in level], dtype=float).reshape(-1, 2)
    ax.plot(rate, [row["estimate"] for row in level], "o-", color=CONSTANT_COLOUR, markersize=2.5, label="constant rate")
    ax.fill_between(rate, *limits.T, color=CONSTANT_COLOUR, alpha=0.25, linewidth=0)
    for i, cell in enumerate(guided):
        at, row = rows[f"{cell}/rate"]["estimate"], rows[f"{cell}/{measure}"]
        label = "KVSmooth round rising centres λ_ref" if i == 0 else None
        ax.plot([at, at], row["interval"], color=ARM_COLOURS["kvsmooth"], linewidth=0.9)
        ax.plot(at, row["estimate"], "D", color=ARM_COLOURS["kvsmooth"], markersize=3.5, label=label)
    slope, tau = (rows.get(f"dose/{kind}/{measure}") for kind in ("slope", "tau"))
    if known(slope):
        low, high = slope["interval"]
        digits = 1 if abs(slope["estimate"]) >= 1 else 3
        rank = f", τ {tau['estimate']:+.2f}" if known(tau) else ""
        note = f"slope {slope['estimate']:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]{rank}"
        about: dict[str, Any] = {
            "xycoords": "axes fraction",
            "textcoords": "offset points",
            "va": "bottom",
            "fontsize": 5.8,
            "color": "0.25",
        }
        ax.annotate(note, (0, 1), xytext=(10, 5.5), **about)
    ax.set(xlabel="realised mean rate", ylabel=LABELS[measure], xlim=(-0.02, 0.95))
