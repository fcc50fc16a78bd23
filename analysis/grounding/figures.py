"""The figure: dose curves of CHAIR and of text quality, a line a point of training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.captions.measures import MEASURES
from analysis.plots.style import OTHERS, PAGE, figure, legend_above, letter

NOTE = (
    "Lines: ratios of sums over the same {n} images, greedy; bands: {level:.4g} % cluster BCa interval over images.\n"
    "Filled: corrected p < 0.05 against none, exchange of arms within images; CHAIR by max-T over points, doses and both, else Holm."
)
BROKEN = " f, dashed: broken, of the captions that a language model read."
MARKERS = "os^D"
Rows = Mapping[str, Mapping[str, Any]]


def draw_all(points: Sequence[str], doses: Sequence[float], rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    made = figure(PAGE, 3.9)
    axes = made.subplots(2, 4, sharex=True)
    for which, (ax, (name, measure)) in enumerate(zip(axes.flat, MEASURES.items(), strict=True)):
        for i, point in enumerate(points):
            curve(ax, rows, point, name, doses, OTHERS[i % len(OTHERS)], MARKERS[i % len(MARKERS)])
            if name == "looping" and f"{point}/broken/{doses[0]:g}" in rows:
                broken = [rows[f"{point}/broken/{dose:g}"]["estimate"] for dose in doses]
                ax.plot(doses, broken, color=OTHERS[i % len(OTHERS)], ls=(0, (2, 1.5)), lw=0.9, zorder=1)
        letter(ax, "abcdefgh"[which], measure.label)
        ax.set_ylim(bottom=0)
    for ax in axes[-1]:
        ax.set_xlabel("lambda_ref")
    legend_above(made, axes[0, 0])
    return {"grounding": made}


def curve(ax: Axes, rows: Rows, point: str, measure: str, doses: Sequence[float], colour: str, marker: str) -> None:
    """One measure of one point over dose, with its band; filled where the change from no smoothing passes its test."""
    found = [rows[f"{point}/{measure}/{dose:g}"] for dose in doses]
    value = np.array([row["estimate"] for row in found])
    low, high = (np.array([row["interval"][side] for row in found]) for side in (0, 1))
    ax.fill_between(doses, np.where(np.isfinite(low), low, value), np.where(np.isfinite(high), high, value), color=colour, alpha=0.2, lw=0)
    ax.plot(doses, value, color=colour, marker=marker, markersize=3.2, markerfacecolor="white", lw=1.1, label=point)
    passed = [dose > 0 and rows[f"{point}/{measure}/{dose:g} - 0"]["p_adjusted"] < 0.05 for dose in doses]
    ax.plot(np.array(doses)[passed], value[passed], color=colour, marker=marker, markersize=3.2, lw=0)
