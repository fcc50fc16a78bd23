"""The figure: each measure's change from no smoothing, by arm."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from analysis.cells.names import BASELINE, PAPER
from analysis.mechanism.findings import NAMES, measures_of
from analysis.mechanism.measures import MEASURES
from analysis.plots.style import ARM_COLOURS, BETTER, PAGE, figure, letter

NOTE = (
    "{n} captions, the same tokens fed to every arm. Bars: {level:.4g} % cluster BCa over images. Filled: corrected p < 0.05, sign flip, "
    "max-T over arms\n(b and d together). Shaded: the paper's side. Biases of the image: as much attention on it as KVSmooth gives, in the "
    "mean or in each head."
)
Rows = Mapping[str, Mapping[str, Any]]


def draw_all(arms: Sequence[str], rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    shown = [arm for arm in arms if arm != BASELINE][::-1]
    names = measures_of(rows)
    across = 3 if len(names) > 4 else len(names)
    down = math.ceil(len(names) / across)
    made = figure(PAGE, down * (0.9 + 0.2 * len(shown)))
    for number, (ax, name) in enumerate(zip(made.subplots(down, across).ravel(), names, strict=True)):
        for place, arm in enumerate(shown):
            row = rows[f"{arm} - {BASELINE}/{name}"]
            colour = ARM_COLOURS["kvsmooth"] if arm == PAPER else "#222222"
            ax.hlines(place, *row["interval"], color=colour, lw=1)
            ax.plot(
                row["estimate"], place, "o", color=colour, markersize=4, markerfacecolor=colour if row["p_adjusted"] < 0.05 else "white"
            )
        ax.axvline(0, color="0.6", lw=0.6, zorder=0)
        ax.set_ylim(-0.6, len(shown) - 0.4)
        ax.set_yticks(range(len(shown)), [NAMES.get(arm, arm) for arm in shown] if number % across == 0 else [""] * len(shown))
        low, high = ax.get_xlim()
        if sign := MEASURES[name].sign:
            ax.axvspan(*((0, max(high, 0)) if sign > 0 else (min(low, 0), 0)), color=BETTER, alpha=0.1, lw=0, zorder=-1)
            ax.set_xlim(low, high)
        ax.set_xlabel("Δ share" if MEASURES[name].unit == "1" else f"Δ {MEASURES[name].unit}")
        letter(ax, "abcdef"[number], MEASURES[name].short)
    return {"mechanism": made}
