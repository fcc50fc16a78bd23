"""Panels of the question's figures: rows of the results file on given axes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Ellipse

from analysis.ablation.panels import LABELS, Rows, known, passes
from analysis.cells.names import BASELINE, PAPER
from analysis.plots.labels import names
from analysis.plots.style import ARM_COLOURS, BLACK, CONSTANT_COLOUR, DOSE_COLOUR, INDIGO, WINE

# options keep their colour and marker in every panel; the paper's default has the colour of its arm everywhere
MARKS = {"lambda_ref": (DOSE_COLOUR, "D"), "margin": (INDIGO, "s"), "window": (WINE, "^"), "layers": (BLACK, "o")}
ABOVE: dict[str, Any] = {
    "xycoords": "axes fraction",
    "textcoords": "offset points",
    "fontsize": 5.3,
    "color": "0.25",
    "annotation_clip": False,
}
REACH = math.sqrt(5.991)  # 95 % of a bivariate normal lie within this many standard deviations (chi-square, 2 degrees)


def swept(ax: Axes, rows: Rows, option: str, settings: Sequence[Mapping[str, Any]], measure: str) -> None:
    """A measure over the settings of an option, with the baseline's level and the range in words.

    Filled: the corrected test against no smoothing rejects. The default is in the arm's own colour.
    """
    level = rows[f"{BASELINE}/{measure}"]
    ax.axhspan(*level["interval"], color=ARM_COLOURS["baseline"], alpha=0.18, linewidth=0)
    ax.axhline(level["estimate"], color=ARM_COLOURS["baseline"], linewidth=0.8)
    named = option == "layers"
    x = list(range(len(settings))) if named or option == "window" else [one["value"] for one in settings]
    found = [rows[f"{one['cell']}/{measure}"] for one in settings]
    colour, marker = MARKS[option]
    if not named:
        ax.plot(x, [row["estimate"] for row in found], "-", color=colour, linewidth=0.9, zorder=2)
    for at, one, row in zip(x, settings, found, strict=True):
        own = ARM_COLOURS["kvsmooth"] if one["cell"] == PAPER else colour
        change = rows.get(f"{one['cell']} - {BASELINE}/{measure}")
        ax.plot([at, at], row["interval"], color=own, linewidth=0.9, zorder=3)
        face = own if change is not None and passes(change) else "white"
        ax.plot(at, row["estimate"], marker, color=own, markerfacecolor=face, markersize=3.2, markeredgewidth=0.8, zorder=4)
    if named or option == "window":
        size: dict[str, Any] = {"rotation": 90, "fontsize": 5.3} if named else {}
        ax.set_xticks(x, [str(one["value"]) for one in settings], **size)
    extent = rows.get(f"{option}/range/{measure}")
    if known(extent):
        ax.annotate(_range(extent, measure), (0, 1), xytext=(10, 5), **ABOVE)
    ax.margins(x=0.08)


def by_amount(ax: Axes, rows: Rows, constant: Mapping[str, float], amounts: Mapping[str, Mapping[str, float]], measure: str) -> None:
    """A measure over the realised amount of smoothing: the curve of constant rates with its band, and the settings as points.

    `constant` and `amounts` hold the amount by cell, the latter by option. Filled: the corrected test against the curve rejects.
    """
    curve = [rows[f"{cell}/{measure}"] for cell in constant]
    limits = np.array([row["interval"] for row in curve], dtype=float).reshape(-1, 2)
    x = list(constant.values())
    ax.plot(x, [row["estimate"] for row in curve], "-", color=CONSTANT_COLOUR, zorder=1)
    ax.fill_between(x, *limits.T, color=CONSTANT_COLOUR, alpha=0.25, linewidth=0)
    away_from: list[tuple[str, tuple[float, float]]] = []
    points: list[tuple[float, float]] = []
    for option, cells in amounts.items():
        colour, marker = MARKS[option]
        for cell, amount in cells.items():
            row = rows[f"{cell}/{measure}"]
            own = ARM_COLOURS["kvsmooth"] if cell == PAPER else colour
            away = off_curve(rows, option, cell, measure)
            face = own if away is not None and passes(away) else "white"
            ax.plot([amount, amount], row["interval"], color=own, linewidth=0.8, zorder=3)
            drawn: dict[str, Any] = {"markerfacecolor": face, "markersize": 3.4, "markeredgewidth": 0.8, "zorder": 4}
            ax.plot(amount, row["estimate"], marker, color=own, **drawn)
            points.append((amount, row["estimate"]))
            if option == "layers" and face == own:  # those that leave the curve, by name
                away_from.append((away["where"]["setting"], points[-1]))
    names(ax, away_from, points)


def off_curve(rows: Rows, option: str, cell: str, measure: str) -> Mapping[str, Any] | None:
    """The row that sets a cell against the constant rate of its amount."""
    return next((row for row in _against(rows, option, measure) if row["where"]["cell"] == cell), None)


def plane(
    ax: Axes, rows: Rows, x: str, y: str, paths: Mapping[str, Sequence[str]], spreads: Mapping[str, Any], colours: ScalarMappable
) -> None:
    """Cells in the plane of two measures, with the length of their captions as colour; paths join settings.

    The default, no smoothing and the bands of layers have their 95 % ellipse; with all of them none could be told from another.
    """
    for option, cells in paths.items():
        if option in ("lambda_ref", "constant"):  # the two with an order that one can follow by eye
            told = {"lambda_ref": ("0.35", "-"), "constant": (CONSTANT_COLOUR, "--")}[option]
            ax.plot(*(_levels(rows, cells, measure) for measure in (x, y)), told[1], color=told[0], linewidth=0.8, zorder=1)
    for option, cells in paths.items():
        marker = MARKS[option][1] if option in MARKS else {"constant": "x", BASELINE: "*"}[option]
        for cell in cells:
            at = [rows[f"{cell}/{measure}"]["estimate"] for measure in (x, y)]
            colour = colours.to_rgba(rows[f"{cell}/length"]["estimate"])
            covariance = np.array(spreads[cell], dtype=float)
            if (option in ("layers", BASELINE) or cell == PAPER) and np.isfinite([*at, *covariance.flat]).all():
                ax.add_patch(ellipse(at, covariance, colour))
            edge = ARM_COLOURS["kvsmooth"] if cell == PAPER else "0.15"
            size: dict[str, Any] = {"markersize": 8 if option == BASELINE else 4.2, "markeredgewidth": 1.2 if cell == PAPER else 0.5}
            if marker == "x":
                ax.plot(*at, marker, color=colour, markersize=4, markeredgewidth=1.2, zorder=4)
            else:
                ax.plot(*at, marker, markerfacecolor=colour, markeredgecolor=edge, zorder=5 if cell in (PAPER, BASELINE) else 4, **size)
    ax.set(xlabel=LABELS[x], ylabel=LABELS[y])


def ellipse(at: Sequence[float], covariance: np.ndarray, colour: Any) -> Ellipse:
    """The region that holds 95 % of a bivariate normal of this covariance."""
    x, y = at
    variances, axes = np.linalg.eigh(covariance)
    width, height = 2 * REACH * np.sqrt(np.maximum(variances[::-1], 0))
    angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    return Ellipse((x, y), width, height, angle=angle, facecolor="none", edgecolor=colour, alpha=0.45, linewidth=0.6, zorder=2)


def iso_f1(ax: Axes, levels: Sequence[float]) -> None:
    """Lines of equal F1 in the plane of recall (x) and precision (y), named at the upper edge or the left one."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for level in levels:
        recall = np.linspace(max(left, level / 2 + 1e-3), right, 200)
        precision = level * recall / (2 * recall - level)
        inside = (precision >= low) & (precision <= high)
        if inside.sum() > 1:
            ax.plot(recall[inside], precision[inside], color="0.8", linewidth=0.6, zorder=0)
            at = recall[inside][-1], precision[inside][-1]
            ax.annotate(f"{level:.2f}", at, xytext=(-2, 1), textcoords="offset points", fontsize=5, color="0.5", ha="right")
    ax.set(xlim=(left, right), ylim=(low, high))


def lengths(rows: Rows, cells: Sequence[str]) -> ScalarMappable:
    """Colours of mean caption lengths."""
    found = _levels(rows, cells, "length")
    return ScalarMappable(Normalize(min(found), max(max(found), min(found) + 1e-9)), "viridis")


def _levels(rows: Rows, cells: Sequence[str], measure: str) -> list[float]:
    return [rows[f"{cell}/{measure}"]["estimate"] for cell in cells]


def _against(rows: Rows, option: str, measure: str) -> list[Mapping[str, Any]]:
    return [row for name, row in rows.items() if name.startswith(f"{option}/") and name.endswith(f"/off the curve/{measure}")]


def _range(row: Mapping[str, Any], measure: str) -> str:
    digits = 0 if measure == "length" else 3
    low, high = row["interval"]
    star = "*" if passes(row) else ""
    return f"{row['estimate']:.{digits}f}{star} [{low:.{digits}f}, {high:.{digits}f}]"
