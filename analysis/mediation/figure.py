"""The decomposition as a forest: one panel an outcome, one line an effect, both arms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.mediation.effects import EFFECTS
from analysis.mediation.names import ARMS
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
LOOK = {"kvsmooth": ("KVSmooth", ARM_COLOURS["kvsmooth"], "o"), "constant": ("constant rate, same mean", CONSTANT_COLOUR, "s")}


def decomposition(rows: Mapping[str, Mapping[str, Any]], counts: Mapping[str, Any]) -> Figure:
    """Six panels; effects read from the top: the total, its three parts, and the share of it that goes with the mass on the image."""
    made = figure(PAGE, 4.2)
    axes = made.subplots(2, 3, sharey=True)
    order = list(EFFECTS)[::-1]
    for ax, (outcome, title), text in zip(axes.flat, TITLES.items(), "abcdef", strict=True):
        series = []
        for arm in ARMS[::-1]:  # from the bottom: the method comes first in reading
            name, colour, marker = LOOK[arm]
            found = [rows[f"{arm}/{outcome}/{effect}"] for effect in order]
            points = [Point.of(place, row, bool(np.nan_to_num(row["p_adjusted"], nan=1.0) < 0.05)) for place, row in enumerate(found)]
            series.append((name, colour, marker, points))
        forest(series, [LABELS[effect] for effect in order], ax=ax)
        ax.axhline(0.5, color="0.85", linewidth=0.6, zorder=0)
        ax.axhline(len(order) - 1.5, color="0.85", linewidth=0.6, zorder=0)
        ax.tick_params(axis="y", length=0)
        ax.locator_params(axis="x", nbins=4)
        n = rows[f"{ARMS[0]}/{outcome}/total"]["n"]
        letter(ax, text, title)
        what = "log ratio" if outcome == "margin" else "log-probability"
        ax.set_xlabel(f"change of {what} (nat)\n{n} images, {counts['steps'][outcome]} steps")
        ax.margins(x=0.08)
    handles, names = axes[0, 0].get_legend_handles_labels()
    made.legend(handles[::-1], names[::-1], loc="outside upper center", ncols=2)
    return made
