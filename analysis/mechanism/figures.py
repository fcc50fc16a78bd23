"""The figure: each measure's change from no smoothing, by arm."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from analysis.cells.names import BASELINE, PAPER
from analysis.mechanism.findings import NAMES
from analysis.mechanism.measures import MEASURES
from analysis.plots.style import ARM_COLOURS, PAGE, figure, letter

NOTE = (
    "{n} captions, the same tokens fed to every arm. Bars: {level:.4g} % cluster BCa intervals over images. Filled: corrected p < 0.05, "
    "sign flip over images,\nmax-T over arms (b and d together). Shaded: the side on which the paper's mechanism lies."
)
Rows = Mapping[str, Mapping[str, Any]]


def draw_all(arms: Sequence[str], rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    shown = [arm for arm in arms if arm != BASELINE][::-1]
    made = figure(PAGE, 1.3 + 0.24 * len(shown))
    axes = made.subplots(1, len(MEASURES))
    titles = ("row entropy", "image beyond dilution", "attention on image", "angle to image")
    for ax, name, mark, title in zip(axes, MEASURES, "abcd", titles, strict=True):
        for place, arm in enumerate(shown):
            row = rows[f"{arm} - {BASELINE}/{name}"]
            colour = ARM_COLOURS["kvsmooth"] if arm == PAPER else "#222222"
            ax.hlines(place, *row["interval"], color=colour, lw=1)
            ax.plot(
                row["estimate"], place, "o", color=colour, markersize=4, markerfacecolor=colour if row["p_adjusted"] < 0.05 else "white"
            )
        ax.axvline(0, color="0.6", lw=0.6, zorder=0)
        ax.set_ylim(-0.6, len(shown) - 0.4)
        ax.set_yticks(range(len(shown)), [NAMES.get(arm, arm) for arm in shown] if ax is axes[0] else [""] * len(shown))
        low, high = ax.get_xlim()
        if sign := MEASURES[name].sign:
            ax.axvspan(*((0, max(high, 0)) if sign > 0 else (min(low, 0), 0)), color="#009E73", alpha=0.1, lw=0, zorder=-1)
            ax.set_xlim(low, high)
        ax.set_xlabel(f"Δ {MEASURES[name].unit}")
        letter(ax, mark, title)
    return {"mechanism": made}
