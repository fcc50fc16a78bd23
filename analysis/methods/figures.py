"""The figures: what every arm changes, and every arm in the planes of recall with CHAIR_s, omission lines beside it, and with precision."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.methods.strengths import KVSMOOTH, named
from analysis.methods.trial import NONE
from analysis.omission.line import MEASURES as OMITTED
from analysis.omission.line import measures
from analysis.omission.rules import LINES as HELD
from analysis.plots.forest import Point, forest
from analysis.plots.labels import names as write_names
from analysis.plots.style import ARM_COLOURS, PAGE, figure, letter
from analysis.published.style import VERDICT_COLOURS
from analysis.published.verdict import NOT_LOWER, UNTOLD

NOTES = {
    "methods": (
        "{n} test scenes; arm minus no method, {level:.4g} % cluster BCa intervals over images. Circles: strength chosen on validation "
        "scenes; squares: the source's own.\nFilled: corrected p < 0.05 (exchange of arms within images, Holm over all arms). Colours: "
        "verdict by corrected tests."
    ),
    "methods_plane": (
        "{n} test scenes; bars: {level:.4g} % cluster BCa intervals over images. Star: no method; circles: strength chosen on validation "
        "scenes; squares: the source's own.\nLines: what leaving out ever more of the captions without a method gives, at random and by "
        "the best of six rules. Arms too near to "
        "one another for names stand in methods.svg. Grey: equal F1."
    ),
}
PANELS = {
    "chair_s": "CHAIR_s (%)",
    "chair_i": "CHAIR_i (%)",
    "recall": "recall (%)",
    "f1": "F1 (%)",
    "length": "words",
    "looping": "looping (%)",
}
"""Measures of the forest, with what stands over them; all but words in hundredths."""
COLOURS = {**VERDICT_COLOURS, NOT_LOWER: "#888888", UNTOLD: "#222222"}
APART = 9.0
"""Points of the planes nearer to one another than this, in points, have no names."""
PAPER = named(KVSMOOTH, 1.0)
LINES = {"leave out mentions at random": (0, (4, 2)), "leave out by the best rule": "-"}
"""By the name in the legend, how a line is drawn."""
RECALL = OMITTED.index("recall")
RANDOM = "random mention"
"""The omission line that is drawn by itself, beside the best of all."""
REACH = 28.0
"""Percent of recall that the planes show to the left of no method; arms beyond it are told in words."""
Rows = Mapping[str, Mapping[str, Any]]


def draw_all(rows: Rows, found: Mapping[str, Any]) -> dict[str, Figure]:
    """Every figure by its file name."""
    return {"methods": changes(rows, found), "methods_plane": planes(rows, found)}


def changes(rows: Rows, found: Mapping[str, Any]) -> Figure:
    """Each method's change of six measures, at the chosen strength and at the source's own, the lowest CHAIR_s of the source's on top."""
    verdicts = {one["arm"]: one["verdict"] for one in found["verdicts"]}
    order = sorted(found["chosen"], key=lambda method: -rows[f"{named(method, 1.0)} - {NONE}/chair_s"]["estimate"])
    made = figure(PAGE, 1.2 + 0.2 * len(order))
    axes = made.subplots(1, len(PANELS))
    for ax, (measure, title), text in zip(axes, PANELS.items(), "abcdef", strict=True):
        scale = 1 if measure == "length" else 100
        series = []
        for mark, strengths in (("o", found["chosen"]), ("s", dict.fromkeys(order, 1.0))):
            points = []
            for place, method in enumerate(order):
                arm = named(method, strengths[method])
                if strengths[method] and (mark == "o" or found["chosen"][method] != 1.0):
                    row = rows[f"{arm} - {NONE}/{measure}"]
                    estimate, low, high = (scale * value for value in (row["estimate"], *row["interval"]))
                    points.append(Point(place, estimate, low, high, row["p_adjusted"] < 0.05, COLOURS[verdicts[arm]]))
            series.append(("", "#222222", mark, points))
        forest(series, [""] * len(order), ax=ax)
        strength = {method: f" (×{one:g})" if one else "" for method, one in found["chosen"].items()}
        ax.set_yticks(range(len(order)), [f"{method.replace('_', ' ')}{strength[method]}" for method in order])
        ax.tick_params(axis="y", labelleft=ax is axes[0])
        ax.locator_params(axis="x", nbins=2, steps=[1, 2, 5, 10])
        ax.set_xlabel("Δ")
        letter(ax, text, title)
    kinds = [kind for kind in COLOURS if kind in verdicts.values()]
    look: dict[str, Any] = {"color": "0.4", "lw": 0, "markersize": 4.5}
    marks = [Line2D([], [], marker=mark, label=label, **look) for mark, label in (("o", "strength chosen"), ("s", "source's own"))]
    made.legend(handles=[*marks, *(_spot(kind) for kind in kinds)], loc="outside upper center", ncols=4, columnspacing=1.2)
    return made


def planes(rows: Rows, found: Mapping[str, Any]) -> Figure:
    """Every arm by recall, with CHAIR_s and with precision."""
    made = figure(PAGE, 3.9)
    axes = made.subplots(1, 2)
    plane(axes[0], rows, found, "chair_s", "CHAIR_s (%)")
    plane(axes[1], rows, found, "precision", "precision (%)")
    letter(axes[0], "a", "hallucinating captions against recall")
    letter(axes[1], "b", "precision against recall")
    kinds = list(dict.fromkeys(one["verdict"] for one in found["verdicts"]))
    handles = [_spot(kind) for kind in COLOURS if kind in kinds]
    if PAPER in {one["arm"] for one in found["verdicts"]}:
        handles.append(Line2D([], [], color=ARM_COLOURS["kvsmooth"], marker="D", lw=0, markersize=5, label="KVSmooth, published"))
    handles += [Line2D([], [], color="0.4", ls=look, lw=0.9, label=words) for words, look in LINES.items()]
    made.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.2, handlelength=2.4)
    return made


def _spot(kind: str) -> Line2D:
    """A verdict in the legend."""
    return Line2D([], [], color=COLOURS[kind], label=kind, marker="o", lw=0, markersize=4.5, markeredgecolor="0.3", markeredgewidth=0.5)


def plane(ax: Axes, rows: Rows, found: Mapping[str, Any], measure: str, label: str) -> None:
    """Arms by recall and one measure; names where they cover least."""
    at = OMITTED.index(measure)
    others, spots, outside = [], [], []
    arms = [NONE, *(one["arm"] for one in found["verdicts"])]
    least = 100 * rows[f"{NONE}/recall"]["estimate"] - REACH
    recall = np.linspace(least, least + REACH, 60)
    held = [one for one in found["lines"] if (one["rule"], one["unit"]) in HELD]  # no oracle
    curves = {f"{one['rule']} {one['unit']}": 100 * measures(np.asarray(one["sums"], dtype=float)) for one in held}
    each = {name: np.interp(recall, curve[:, RECALL], curve[:, at]) for name, curve in curves.items()}
    best = (np.max if measure == "precision" else np.min)([*each.values()], axis=0)
    for values, dashes in zip((each[RANDOM], best), LINES.values(), strict=True):
        ax.plot(recall, values, color="0.4", ls=dashes, lw=0.9, zorder=1)
        others += [*zip(recall, values, strict=True)]
    tuned = {named(method, strength) for method, strength in found["chosen"].items() if strength}
    colour = {one["arm"]: COLOURS[one["verdict"]] for one in found["verdicts"]}
    for arm in arms:
        x, y = (rows[f"{arm}/{name}"] for name in ("recall", measure))
        place = 100 * x["estimate"], 100 * y["estimate"]
        name = arm.removesuffix(" x1").replace(" x", " ×").replace("_", " ")
        if place[0] < least:
            outside.append(f"{name} ({place[0]:.0f}, {place[1]:.0f})" if math.isfinite(place[1]) else name)
            continue
        ends = [[[abs(100 * (end - row["estimate"]))] for end in row["interval"]] for row in (x, y)]
        plain, own = arm == NONE, arm == PAPER  # above all others, which crowd round no method
        look: dict[str, Any] = {"ms": 9 if plain else 5.5 if own else 4.2, "mec": "white" if plain else "0.3", "mew": 0.5}
        look |= {"ecolor": "0.85", "elinewidth": 0.5, "zorder": 5 if plain or own else 3}
        mark = "*" if plain else "D" if own else "o" if arm in tuned else "s"
        shade = ARM_COLOURS["kvsmooth"] if own else colour.get(arm, "#222222")
        ax.errorbar(*place, xerr=ends[0], yerr=ends[1], fmt=mark, color=shade, **look)
        spots.append((name, place))
    ax.set_xlim(least - 1, None)
    if measure == "precision":
        equal_f1(ax)
    if outside:
        ax.text(0.02, 0.02, f"left of the axis: {'; '.join(outside)}", transform=ax.transAxes, fontsize=5.5, color="0.3")
    ax.set_xlabel("recall (%)")
    ax.set_ylabel(label)
    write_names(ax, spots, others, apart=APART)


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
