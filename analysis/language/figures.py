"""The figure: perplexity over the mean rate, by guidance and form, and where in the text it is lost."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.cells.names import BASELINE, PAPER
from analysis.language.findings import told
from analysis.plots.style import ARM_COLOURS, CONSTANT_COLOUR, PAGE, figure, legend_below, letter

Rows = Mapping[str, Mapping[str, Any]]
NOTE = (
    "{n} texts{of_images}, teacher forced token by token; perplexity as a multiple of that without smoothing (logarithmic). Bars: "
    "{level:.4g} % "
    "cluster BCa\nintervals over {unit}. Filled: differs from no smoothing (a, b, c), sign flip over {unit}, max-T over the arms of a "
    "family."
)
GREY = "#666666"
COLOURS = {PAPER: ARM_COLOURS["kvsmooth"], "mean": CONSTANT_COLOUR}


def draw_all(rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    made = figure(PAGE, 5.4)
    axes = made.subplots(2, 2, width_ratios=(1, 1))
    dose(axes[0, 0], rows)
    forest(axes[0, 1], rows, [PAPER, *_arms(rows, "guidance")])
    forest(axes[1, 0], rows, [PAPER, *_arms(rows, "form"), *_arms(rows, "layers")])
    parts(axes[1, 1], rows)
    for ax, name, title in zip(
        axes.flat, "abcd", ("dose", "guidance at equal mean rate", "what is smoothed", "where it is lost"), strict=True
    ):
        letter(ax, name, title)
    return {"language": made}


def dose(ax: Axes, rows: Rows) -> None:
    """Perplexity over the realised mean rate: the paper's rule against constant rates."""
    for family, label, colour, marker in (
        ("dose", "guided by entropy", ARM_COLOURS["kvsmooth"], "o"),
        ("constant", "constant rate", CONSTANT_COLOUR, "s"),
    ):
        arms = _arms(rows, family) + ([PAPER] if family == "dose" else [])
        points = [(rows[f"{arm}/rate"]["estimate"], rows[f"{arm} - {BASELINE}/nll"]) for arm in arms if f"{arm}/rate" in rows]
        at = sorted(points, key=lambda point: point[0])  # by rate alone: in short texts two arms may have the same
        if not at:
            continue
        x, found = [rate for rate, _ in at], [row for _, row in at]
        ax.plot(
            [0, *x], [1, *(math.exp(row["estimate"]) for row in found)], color=colour, marker=marker, markersize=3.2, lw=1.1, label=label
        )
        limits = np.exp([row["interval"] for row in found])
        ax.vlines(x, limits[:, 0], limits[:, 1], color=colour, lw=0.9)
    ax.set(xlabel="mean rate", ylabel="perplexity ×", yscale="log")
    _plain(ax, "y")
    ax.legend(frameon=False)


def forest(ax: Axes, rows: Rows, arms: list[str]) -> None:
    """Perplexity of each arm, the paper's on top."""
    for place, arm in enumerate(reversed(arms)):
        row = rows[f"{arm} - {BASELINE}/nll"]
        colour = COLOURS.get(arm, GREY)
        low, high = np.exp(row["interval"])
        ax.hlines(place, low, high, color=colour, lw=0.9)
        face = colour if row["p_adjusted"] < 0.05 else "white"
        ax.plot(math.exp(row["estimate"]), place, "o", color=colour, markerfacecolor=face, markersize=3.4)
    ax.axvline(1, color="0.6", lw=0.6, zorder=0)
    ax.set_yticks(range(len(arms)), [told(arm) for arm in reversed(arms)])
    ax.set(xlabel="perplexity ×", xscale="log")
    _plain(ax, "x")


def parts(ax: Axes, rows: Rows) -> None:
    """The change by kind of token and by distance from a sentence end: guided against its own mean."""
    names = [row["where"]["part"] for row in rows.values() if row["where"].get("part") and row["where"]["treated"] == PAPER and row["n"]]
    for shift, (arm, colour, marker) in zip(
        (0.15, -0.15), ((PAPER, ARM_COLOURS["kvsmooth"], "o"), ("mean", COLOURS["mean"], "s")), strict=True
    ):
        for place, name in enumerate(reversed(names)):
            row = rows.get(f"{arm} - {BASELINE}/nll/{name}")
            if row is not None and math.isfinite(row["estimate"]):
                ax.hlines(place + shift, *np.exp(row["interval"]), color=colour, lw=0.9)
                label = told(arm) if place == 0 else None
                ax.plot(math.exp(row["estimate"]), place + shift, marker, color=colour, markersize=3.2, label=label, lw=0)
    ax.axvline(1, color="0.6", lw=0.6, zorder=0)
    ax.set_yticks(range(len(names)), [name.replace("distance/", "since sentence end: ").replace("kind/", "") for name in reversed(names)])
    ax.set(xlabel="perplexity ×", xscale="log")
    _plain(ax, "x")
    legend_below(ax)


def _plain(ax: Axes, which: str) -> None:
    """Ticks of a logarithmic axis as ordinary numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis = getattr(ax, f"{which}axis")
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(base=10, subs=(1, 1.5, 2, 3, 5, 7) if high < 10 * low else (1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _arms(rows: Rows, family: str) -> list[str]:
    return [row["where"]["arm"] for row in rows.values() if row["where"].get("family") == family and row["where"].get("measure") == "rate"]
