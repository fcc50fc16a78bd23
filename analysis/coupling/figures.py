"""The figures of the coupling question; every number comes from coupling.json."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.coupling.names import RANKED
from analysis.objects.names import SETS
from analysis.objects.style import REGIME_LOOK, SET_LABELS
from analysis.plots.forest import Point, forest
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, NULL_COLOUR, PAGE, figure, letter
from analysis.question.arms import ARMS, BAND, CONTRAST
from analysis.telling.wording import LEVEL, Rows

BY_LAYER = ("present", "hallucinated", "typical", "other")
SHORT_DIFFERENCE = {
    "present": "present, Δ",
    "hallucinated": "hallucinated, Δ",
    "present unsaid": "present, not yet said, Δ",
    "hallucinated unsaid": "halluc., not yet said, Δ",
}
RANKED_LABELS = {"plain": "Spearman", "partial": "given step", "adjusted": "adjusted", "specific": "specific"}


def draw_all(rows: Rows, places: list[str]) -> dict[str, Figure]:
    """Every figure by its file name; `places` are the layers and the band."""
    return {"coupling": coupling(rows, places), "cosine": cosine(rows)}


def coupling(rows: Rows, places: list[str]) -> Figure:
    """Adjusted coefficients by layer and set in both arms, with the null of turned series; and what smoothing changes."""
    made = figure(PAGE, 5.2)
    axes = made.subplots(2, 4, sharey=True)
    for ax, which, text in zip(axes[0], BY_LAYER, "abcd", strict=True):
        _null(ax, rows, which, places)
        looks = zip(ARMS, "os", strict=True)
        series = [(f"{ARM_LABELS[arm]}, free", ARM_COLOURS[arm], mark, _by_layer(rows, "free", which, arm, places)) for arm, mark in looks]
        _forest(ax, series, places)
        letter(ax, text, f"{SET_LABELS[which]} (n = {rows[f'free/adjusted/{which}/{ARMS[0]}/{BAND}']['n']})")
        ax.set_xlabel("rank correlation")
    for ax, which, text in zip(axes[1], SHORT_DIFFERENCE, "efgh", strict=True):
        series = []
        for regime, (mark, colour, words) in REGIME_LOOK.items():
            points = _by_layer(rows, regime, which, CONTRAST, places)
            if points:
                series.append((f"difference, {regime} ({words})", colour, mark, points))
        _forest(ax, series, places)
        letter(ax, text, SHORT_DIFFERENCE[which])
        ax.set_xlabel("difference")
    for ax in axes[:, 0]:
        ax.set_ylabel("layer")
    _limits(axes[0])
    _limits(axes[1])
    (first, names), (second, more) = (ax.get_legend_handles_labels() for ax in axes[:, 0])
    made.legend([*first, *second], [*names, *more], loc="outside upper center", ncols=len(names) + len(more), columnspacing=1.2)
    return made


def cosine(rows: Rows) -> Figure:
    """The paper's cosine beside what any order of the steps and a constant entropy give; and rank correlations of the same series."""
    made = figure(PAGE, 2.7)
    axes = made.subplots(1, 6, sharey=True, width_ratios=[1.3, 1, 1, 1, 1, 1])
    for place, which in enumerate(reversed(SETS)):
        row = rows[f"free/cosine/{which}/{ARMS[0]}/{BAND}"]
        axes[0].plot(row["interval"], [place] * 2, color=ARM_COLOURS[ARMS[0]], linewidth=1)
        axes[0].plot(row["estimate"], place, "o", color=ARM_COLOURS[ARMS[0]])
        for kind, mark, words, where in (("permuted", "|", "steps permuted", BAND), ("constant", "x", "constant entropy", "any")):
            null = rows[f"free/{kind}/{which}/{ARMS[0]}/{where}"]["estimate"]
            axes[0].plot(null, place, mark, color="k", markersize=7 if mark == "|" else 3.5, label=words if place == 0 else None)
    axes[0].set_xlabel("cosine")
    letter(axes[0], "a", "cosine, none")
    kinds = (("cosine - permuted", "− permuted"), *RANKED_LABELS.items())
    for ax, (kind, title), text in zip(axes[1:], kinds, "bcdef", strict=True):
        series = []
        for arm, mark in zip(ARMS, "os", strict=True):
            found = [(place, rows.get(f"free/{kind}/{which}/{arm}/{BAND}")) for place, which in enumerate(reversed(SETS))]
            series.append((ARM_LABELS[arm], ARM_COLOURS[arm], mark, [_point(place, row) for place, row in found if row is not None]))
        _forest(ax, series, [SET_LABELS[which] for which in reversed(SETS)])
        letter(ax, text, title)
        ax.set_xlabel("rank correlation" if kind in RANKED else "excess of cosine")
    (first, names), (second, more) = (ax.get_legend_handles_labels() for ax in axes[:2])
    made.legend([*first, *second], [*names, *more], loc="outside upper center", ncols=len(names) + len(more))
    return made


def _by_layer(rows: Rows, regime: str, which: str, contrast: str, places: list[str]) -> list[Point]:
    found = [(i, rows.get(f"{regime}/adjusted/{which}/{contrast}/{place}")) for i, place in enumerate(places)]
    return [_point(i, row) for i, row in found if row is not None]


def _point(place: int, row: Mapping[str, Any]) -> Point:
    return Point.of(place, row, row["p_adjusted"] < LEVEL)


def _null(ax: Axes, rows: Rows, which: str, places: list[str]) -> None:
    """The middle 95 % of the turned series, of the plain model."""
    found = [rows[f"free/adjusted/{which}/{ARMS[0]}/{place}"]["effect"] for place in places]
    low, high = ([np.nan if one[name] is None else one[name] for one in found] for name in ("null_low", "null_high"))
    ax.barh(np.arange(len(places)), np.subtract(high, low), left=low, height=0.8, color=NULL_COLOUR, alpha=0.25, linewidth=0, zorder=0)


def _forest(ax: Axes, series: list, labels: list[str]) -> None:
    forest(series, labels, ax=ax)
    ax.locator_params(axis="x", nbins=3)


def _limits(axes: np.ndarray) -> None:
    low, high = min(ax.get_xlim()[0] for ax in axes), max(ax.get_xlim()[1] for ax in axes)
    for ax in axes:
        ax.set_xlim(low, high)
