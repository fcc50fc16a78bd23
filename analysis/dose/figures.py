"""The figure: the curve on validation scenes with the doses that the rule admits, and what the test scenes say of the chosen one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.captions.measures import MEASURES
from analysis.dose.controls import CONTROLS
from analysis.dose.findings import CHOSEN, NONE, PUBLISHED, named
from analysis.dose.rule import eligible
from analysis.plots.style import ARM_COLOURS, DOSE_COLOUR, PAGE, figure, letter

SHOWN = ("chair_i", "chair_s", "recall", "looping")
COLOURS = {NONE: ARM_COLOURS["baseline"], CHOSEN: DOSE_COLOUR, PUBLISHED: ARM_COLOURS["kvsmooth"]}
NOTE = (
    "a to d: {scenes} validation scenes; grey: doses that the rule bars; star: chosen. e to h: {n} test scenes; black: controls.\n"
    "Bars: {level:.4g} % cluster BCa intervals over images. Filled: p < 0.05 against none, by Holm, doses and controls apart."
)
Rows = Mapping[str, Mapping[str, Any]]


def draw_all(doses: Sequence[float], rows: Rows, dose: float) -> dict[str, Figure]:
    """Every figure by its file name."""
    made = figure(PAGE, 4.1)
    axes = made.subplots(2, 4)
    levels = np.array([[rows[f"validation/{name}/{value:g}"]["estimate"] for name in MEASURES] for value in doses])
    broken = np.array([rows.get(f"validation/broken/{value:g}", {}).get("estimate", np.nan) for value in doses])
    for i, name in enumerate(SHOWN):
        curve(axes[0, i], rows, name, doses, eligible(levels, broken), dose)
        bars(axes[1, i], rows, name)
        letter(axes[0, i], "abcd"[i], MEASURES[name].label)
        letter(axes[1, i], "efgh"[i], f"{MEASURES[name].label}, test")
    return {"dose": made}


def curve(ax: Axes, rows: Rows, measure: str, doses: Sequence[float], admitted: Sequence[bool], dose: float) -> None:
    """One measure over dose on the validation scenes."""
    found = [rows[f"validation/{measure}/{value:g}"] for value in doses]
    estimates = [row["estimate"] for row in found]
    ax.plot(doses, estimates, color="0.6", lw=0.9, zorder=1)
    for value, row, fine in zip(doses, found, admitted, strict=True):
        colour = "#222222" if fine else "0.75"
        ax.vlines(value, *row["interval"], color=colour, lw=0.9)
        mark, size = ("*", 8) if value == dose else ("o", 3.2)
        colour = COLOURS[CHOSEN if dose else NONE] if value == dose else colour
        ax.plot(value, row["estimate"], mark, color=colour, markersize=size, zorder=3, clip_on=False)
    ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
    ax.set_xlabel("lambda_ref")


def bars(ax: Axes, rows: Rows, measure: str) -> None:
    """One measure of each arm on the test scenes."""
    arms = [arm for arm in (NONE, CHOSEN, PUBLISHED, *CONTROLS) if f"test/{measure}/{arm}" in rows]
    for place, arm in enumerate(arms):
        row, colour = rows[f"test/{measure}/{arm}"], COLOURS.get(arm, "#222222")
        ax.vlines(place, *row["interval"], color=colour, lw=1.2)
        change = rows.get(f"test/{measure}/{arm} - {NONE}")
        face = colour if change is None or change["p_adjusted"] < 0.05 else "white"
        ax.plot(place, row["estimate"], "o", color=colour, markerfacecolor=face, markersize=4.5, zorder=3, clip_on=False)
    ax.set_xticks(range(len(arms)), [named(arm) for arm in arms], rotation=60, ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.5, len(arms) - 0.5)
    ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
