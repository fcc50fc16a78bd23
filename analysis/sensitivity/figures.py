"""The figures of the question, composed of panels; every number comes from sensitivity.json."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from analysis.ablation.panels import LABELS, Rows
from analysis.cells.names import BASELINE, PAPER
from analysis.plots.labels import names
from analysis.plots.style import ARM_COLOURS, CONSTANT_COLOUR, PAGE, figure, letter
from analysis.sensitivity.names import CONSTANT, OPTIONS
from analysis.sensitivity.panels import MARKS, by_amount, iso_f1, lengths, off_curve, plane, swept

SHOWN = ("chair_i", "chair_s", "f1", "recall", "length")
NOTES = {
    "options": (
        "Ratios of sums over images, {level:.4g} % cluster BCa intervals. Blue: no smoothing; vermilion: the default; filled: corrected "
        "p < 0.05 against no smoothing. Layers: not a-b: all but these.\n"
        "Above each panel: range over settings, limits simultaneous over all pairs; *: corrected p < 0.05, turning of settings within "
        "images. A column shares its scale."
    ),
    "amount": (
        "Points and curve: ratios of sums over images; bars and bands: {level:.4g} % cluster BCa intervals. Filled: corrected p < 0.05 "
        "against the constant rate of the same amount\n(read off linearly), max-T of the bootstrap over the option's settings. "
        "Lower row: the mean rate over all layers of the decoder, 0 where a layer is not smoothed; named: settings off the curve."
    ),
    "plane": (
        "Points: ratios of sums over images; ellipses: 95 % of the cluster bootstrap's joint normal, of the default, no smoothing and "
        "smoothed layers.\nGrey lines in a: equal F1. The line joins rising λ_ref (numbers), the dashed one rising constant rates."
    ),
}


def draw_all(found: Mapping[str, Any], rows: Rows) -> dict[str, Figure]:
    """Every figure, by its file name."""
    grid: dict[str, list[dict[str, Any]]] = {option: [] for option in OPTIONS}
    for one in found["settings"]:
        grid[one["option"]].append(one)
    constant = [cell["name"] for cell in found["cells"] if cell["family"] == CONSTANT]
    constant = [BASELINE, *sorted(constant, key=lambda name: rows[f"{name}/rate"]["estimate"])]
    return {
        "options": options(rows, grid),
        "amount": amount(rows, grid, constant),
        "plane": planes(rows, grid, constant, {one["cell"]: one for one in found["plane"]}),
    }


def options(rows: Rows, grid: Mapping[str, list]) -> Figure:
    """Outcomes over each option."""
    shown = [option for option in grid if grid[option]]
    made = figure(PAGE, 0.9 + 1.5 * len(shown))
    axes = made.subplots(len(shown), len(SHOWN), sharey="col", squeeze=False)
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    for line, option in zip(axes, shown, strict=True):
        for ax, measure in zip(line, SHOWN, strict=True):
            swept(ax, rows, option, grid[option], measure)
            letter(ax, next(letters), LABELS[measure], lift=13.0)
            ax.set(xlabel=OPTIONS[option])
            ax.locator_params(axis="y", nbins=4)
    return made


def amount(rows: Rows, grid: Mapping[str, list], constant: list[str]) -> Figure:
    """Outcomes over the realised amount of smoothing, beside the curve of constant rates."""
    made = figure(PAGE, 3.7)
    axes = made.subplots(2, len(SHOWN), sharey="col")
    letters = iter("abcdefghij")
    for line, chosen in zip(axes, (("lambda_ref", "margin", "window"), ("layers",)), strict=True):
        amounts = {option: _amounts(rows, option, grid[option]) for option in chosen if grid[option]}
        of_all = _part(rows, grid["layers"]) if chosen == ("layers",) else 1.0
        curve = {cell: rows[f"{cell}/rate"]["estimate"] * of_all for cell in constant}
        for ax, measure in zip(line, SHOWN, strict=True):
            by_amount(ax, rows, curve, amounts, measure)
            letter(ax, next(letters), LABELS[measure])
            ax.set_xlabel("mean rate, all layers" if chosen == ("layers",) else "mean rate")
            ax.locator_params(axis="y", nbins=4)
    made.legend(handles=_keys((*MARKS, "default", "constant")), loc="outside upper center", ncols=6)
    return made


def planes(rows: Rows, grid: Mapping[str, list], constant: list[str], spreads: Mapping[str, Any]) -> Figure:
    """Precision against recall, and F1 against CHAIR_i, of every cell."""
    made = figure(PAGE, 3.6)
    axes = made.subplots(1, 2)
    cells = {option: [one["cell"] for one in settings] for option, settings in grid.items() if settings}
    paths = {CONSTANT: constant[1:], **cells, BASELINE: [BASELINE]}
    colours = lengths(rows, [cell for names in paths.values() for cell in names])
    for ax, (x, y), text in zip(axes, (("recall", "precision"), ("chair_i", "f1")), "ab", strict=True):
        plane(ax, rows, x, y, paths, {cell: one[f"{x}, {y}"] for cell, one in spreads.items()}, colours)
        letter(ax, text, f"{LABELS[y]} against {LABELS[x]}")
        points = {cell: (rows[f"{cell}/{x}"]["estimate"], rows[f"{cell}/{y}"]["estimate"]) for group in paths.values() for cell in group}
        shown = [one for one in (*grid["lambda_ref"], *grid["layers"]) if one["cell"] != PAPER]
        names(ax, [(f"{one['value']}", points[one["cell"]]) for one in shown], list(points.values()))
    iso_f1(axes[0], [k / 100 for k in range(50, 100, 4)])
    made.colorbar(colours, ax=axes, label=LABELS["length"], pad=0.01, aspect=30)
    made.legend(handles=_keys((*MARKS, "default", "cross", BASELINE), "0.6"), loc="outside upper center", ncols=7)
    return made


def _amounts(rows: Rows, option: str, settings: list) -> dict[str, float]:
    found = {one["cell"]: off_curve(rows, option, one["cell"], "chair_i") for one in settings}
    return {
        one["cell"]: rows[f"{one['cell']}/rate"]["estimate"] if found[one["cell"]] is None else found[one["cell"]]["effect"]["amount"]
        for one in settings
    }


def _part(rows: Rows, settings: list) -> float:
    """The share of the decoder's layers that the default smooths."""
    return _amounts(rows, "layers", settings)[PAPER] / rows[f"{PAPER}/rate"]["estimate"]


def _keys(names: tuple[str, ...], plain: str = "") -> list[Line2D]:
    """Legend entries; `plain` is the face where colour means something else."""
    found = []
    for one in names:
        if one in MARKS:
            colour, marker = MARKS[one]
            label = OPTIONS[one].replace(" (steps)", "")
        else:
            told = {
                "default": (ARM_COLOURS["kvsmooth"], "o", "default (KVSmooth)"),
                "constant": (CONSTANT_COLOUR, "", "constant rate"),
                "cross": (CONSTANT_COLOUR, "x", "constant rate"),
                BASELINE: (ARM_COLOURS["baseline"], "*", "no smoothing"),
            }
            colour, marker, label = told[one]
        face: dict[str, Any] = {"markerfacecolor": plain} if plain and marker not in ("x", "") else {}
        edge: dict[str, Any] = {"markeredgecolor": "0.15"} if plain and one != "default" and marker != "x" else {}
        line: LineStyleType = "-" if marker == "" else "--" if one == "cross" else "none"
        size = 7 if marker == "*" else 4
        found.append(
            Line2D(
                [],
                [],
                color=colour,
                marker=marker or None,
                linestyle=line,
                label=label,
                markersize=size,
                **face,
                **edge,
            )
        )
    return found
