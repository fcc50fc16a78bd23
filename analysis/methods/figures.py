"""The figure: every arm in the plane of recall and CHAIR_s, with what omission alone gives, and in the plane of recall and precision."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.methods.strengths import named
from analysis.methods.trial import NONE
from analysis.omission.line import MEASURES as OMITTED
from analysis.omission.line import measures
from analysis.plots.labels import names as write_names
from analysis.plots.style import PAGE, figure, letter
from analysis.published.style import LINE_LOOKS, VERDICT_COLOURS

NOTE = (
    "{n} test scenes; bars: {level:.4g} % cluster BCa intervals over images. Circles: strength chosen on validation scenes; squares: the "
    "source's own.\nLines: what leaving out ever more of the captions without a method gives. Verdicts by corrected tests. Grey: equal F1."
)
RECALL = OMITTED.index("recall")
DRAWN = ("random mention", "random sentence", "background sentence")
"""Omission lines that are drawn; the verdict asks all."""
Rows = Mapping[str, Mapping[str, Any]]


def draw_all(rows: Rows, found: Mapping[str, Any]) -> dict[str, Figure]:
    """Every figure by its file name."""
    made = figure(PAGE, 3.9)
    axes = made.subplots(1, 2)
    plane(axes[0], rows, found, "chair_s", "CHAIR_s (%)")
    plane(axes[1], rows, found, "precision", "precision (%)")
    letter(axes[0], "a", "hallucinating captions against recall")
    letter(axes[1], "b", "precision against recall")
    kinds = list(dict.fromkeys(one["verdict"] for one in found["verdicts"]))
    spot = {"marker": "o", "lw": 0, "markersize": 4.5, "markeredgecolor": "0.3", "markeredgewidth": 0.5}
    handles = [Line2D([], [], color=colour, label=kind, **spot) for kind, colour in VERDICT_COLOURS.items() if kind in kinds]
    handles += [Line2D([], [], color="0.4", ls=LINE_LOOKS[name][1], lw=0.9, label=LINE_LOOKS[name][0]) for name in DRAWN]
    made.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.2, handlelength=2.4)
    return {"methods": made}


def plane(ax: Axes, rows: Rows, found: Mapping[str, Any], measure: str, label: str) -> None:
    """Arms by recall and one measure; names where they cover least."""
    at = OMITTED.index(measure)
    others, spots = [], []
    arms = [NONE, *(one["arm"] for one in found["verdicts"])]
    least = min(100 * rows[f"{arm}/recall"]["estimate"] for arm in arms)
    for line in found["lines"]:
        if f"{line['rule']} {line['unit']}" in DRAWN:
            curve = 100 * measures(np.asarray(line["sums"], dtype=float))
            near = curve[:, RECALL] >= least - 5
            ax.plot(curve[near, RECALL], curve[near, at], color="0.4", ls=LINE_LOOKS[f"{line['rule']} {line['unit']}"][1], lw=0.9, zorder=1)
            others += [tuple(point) for point in curve[near][:, [RECALL, at]]]
    tuned = {named(method, strength) for method, strength in found["chosen"].items() if strength}
    colour = {one["arm"]: VERDICT_COLOURS[one["verdict"]] for one in found["verdicts"]}
    for arm in arms:
        x, y = (rows[f"{arm}/{name}"] for name in ("recall", measure))
        place = 100 * x["estimate"], 100 * y["estimate"]
        ends = [[[abs(100 * (end - row["estimate"]))] for end in row["interval"]] for row in (x, y)]
        look = {"ms": 4.2, "mec": "0.3", "mew": 0.5, "ecolor": "0.85", "elinewidth": 0.5, "zorder": 3}
        mark = "*" if arm == NONE else "o" if arm in tuned else "s"
        ax.errorbar(*place, xerr=ends[0], yerr=ends[1], fmt=mark, color=colour.get(arm, "#222222"), **look)
        spots.append((arm.removesuffix(" x1").replace(" x", " ×").replace("_", " "), place))
    if measure == "precision":
        equal_f1(ax)
    ax.set_xlabel("recall (%)")
    ax.set_ylabel(label)
    write_names(ax, spots, others)


def equal_f1(ax: Axes) -> None:
    """Lines of equal F1 within the limits of the axes."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    x = np.linspace(max(left, 1), right, 200)
    for f1 in range(50, 100, 5):
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.where(2 * x > f1, f1 * x / (2 * x - f1), np.nan)
        inside = (y >= low) & (y <= high)
        if inside.any():
            ax.plot(x[inside], y[inside], color="0.92", lw=0.6, zorder=0)
    ax.set_xlim(left, right)
    ax.set_ylim(low, high)
