"""The decomposition as a forest: one panel an outcome, one line an effect, both arms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.mediation.effects import EFFECTS
from analysis.mediation.names import ARMS, CONSTANT, METHOD, WORDS
from analysis.plots.forest import Point, forest
from analysis.plots.style import ARM_COLOURS, CONSTANT_COLOUR, PAGE, figure, letter

LABELS = {
    "total": "total",
    "direct": "contents (direct)",
    "indirect": "attention (indirect)",
    "interaction": "interaction",
    "visual_mass": "through visual mass",
}
TITLES = {
    "margin": "present over absent objects",
    "present": "objects present, not yet named",
    "absent": "objects absent",
    "true": "the word said, where true",
    "hallucinated": "the word said, where hallucinated",
    "end": "the end, after a sentence",
}
LOOK = {METHOD: (ARM_COLOURS["kvsmooth"], "o"), CONSTANT: (CONSTANT_COLOUR, "s")}
CONTROLLED = ("margin", "hallucinated")
"""Outcomes of which every control is drawn."""


def decomposition(rows: Mapping[str, Mapping[str, Any]], counts: Mapping[str, Any]) -> Figure:
    """Six panels; effects read from the top: the total, its three parts, and the share of it that goes with the mass on the image."""
    made = figure(PAGE, 4.2)
    axes = made.subplots(2, 3, sharey=True)
    order = list(EFFECTS)[::-1]
    for ax, (outcome, title), text in zip(axes.flat, TITLES.items(), "abcdef", strict=True):
        series = []
        for arm in reversed(LOOK):  # from the bottom: the method comes first in reading
            colour, marker = LOOK[arm]
            found = [rows[f"{arm}/{outcome}/{effect}"] for effect in order]
            points = [Point.of(place, row, bool(np.nan_to_num(row["p_adjusted"], nan=1.0) < 0.05)) for place, row in enumerate(found)]
            series.append((WORDS[arm], colour, marker, points))
        forest(series, [LABELS[effect] for effect in order], ax=ax)
        ax.axhline(0.5, color="0.85", linewidth=0.6, zorder=0)
        ax.axhline(len(order) - 1.5, color="0.85", linewidth=0.6, zorder=0)
        ax.tick_params(axis="y", length=0)
        ax.locator_params(axis="x", nbins=4)
        n = rows[f"{METHOD}/{outcome}/total"]["n"]
        letter(ax, text, title)
        what = "log ratio" if outcome == "margin" else "log-probability"
        ax.set_xlabel(f"change of {what} (nat)\n{n} images, {counts['steps'][outcome]} steps")
        ax.margins(x=0.08)
    handles, names = axes[0, 0].get_legend_handles_labels()
    made.legend(handles[::-1], names[::-1], loc="outside upper center", ncols=2)
    return made


def controls(rows: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The total and its two ways under KVSmooth and under each control, of two outcomes."""
    made = figure(PAGE, 3.4)
    axes = made.subplots(len(CONTROLLED), 3, sharey=True)
    order = ARMS[::-1]
    for k, (ax, text) in enumerate(zip(axes.flat, "abcdef", strict=True)):
        outcome, effect = CONTROLLED[k // 3], ("total", "direct", "indirect")[k % 3]
        found = [rows[f"{arm}/{outcome}/{effect}"] for arm in order]
        points = [
            Point.of(
                place, row, bool(np.nan_to_num(row["p_adjusted"], nan=1.0) < 0.05), ARM_COLOURS["kvsmooth"] if arm == METHOD else "0.3"
            )
            for place, (arm, row) in enumerate(zip(order, found, strict=True))
        ]
        forest([("", "0.3", "o", points)], [WORDS[arm] for arm in order], ax=ax)
        ax.tick_params(axis="y", length=0)
        ax.locator_params(axis="x", nbins=4)
        letter(ax, text, f"{TITLES[outcome]}: {LABELS[effect].partition(' (')[0]}" if k % 3 == 0 else LABELS[effect].partition(" (")[0])
        ax.set_xlabel(f"change of {'log ratio' if outcome == 'margin' else 'log-probability'} (nat)")
    return made
