"""The figure: what each arm changes where the sentences are fixed, measure by measure."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.form.findings import named
from analysis.form.measures import MEASURES
from analysis.plots.style import ARM_COLOURS, PAGE, figure, letter

NOTE = (
    "{n} scenes; the sentences are given, the model chooses the objects. Change from none: bars {level:.4g} % cluster BCa intervals over "
    "scenes,\nfilled where p < 0.05 (exchange of the arms within scenes, Holm over arms). d: share of places, against none, described only."
)
SHOWN = ("absent", "recall", "again", "changed")
Rows = Mapping[str, Mapping[str, Any]]


def draw_all(arms: Sequence[str], rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    made = figure(PAGE, 0.9 + 0.21 * len(arms))
    axes = made.subplots(1, len(SHOWN), sharey=True)
    for i, name in enumerate(SHOWN):
        panel(axes[i], arms, rows, name)
        letter(axes[i], "abcd"[i], MEASURES[name].label)
    axes[0].set_yticks(range(len(arms) - 1), [_short(arm) for arm in arms[1:]])
    axes[0].set_ylim(len(arms) - 1.5, -0.5)
    return {"form": made}


def panel(ax: Axes, arms: Sequence[str], rows: Rows, name: str) -> None:
    """One measure of every arm."""
    ax.axvline(0, color="0.8", lw=0.7, zorder=0)
    for at, arm in enumerate(arms[1:]):
        row = rows.get(f"{name}/{arm} - {arms[0]}") or rows[f"{name}/{arm}"]
        smooths = arm.startswith("kvsmooth") and named(arm) == arm
        colour = ARM_COLOURS["kvsmooth"] if smooths else "0.35"
        low, high = (100 * end for end in row["interval"])
        ax.plot([low, high], [at, at], color=colour, lw=1.1)
        face = colour if row["role"] == "descriptive" or row["p_adjusted"] < 0.05 else "white"
        ax.plot(100 * row["estimate"], at, "o", color=colour, markerfacecolor=face, markersize=4)
    ax.set_xlabel("points" if name != "changed" else "% of places")


def _short(arm: str) -> str:
    """The method and the values of its options."""
    if named(arm) != arm:
        return named(arm)
    kind, _, options = arm.partition(":")
    return " ".join([kind.replace("_", " "), *(one.partition("=")[2].replace("_", " ") for one in filter(None, options.split(",")))])
