"""Paired differences, one line a layer, with their intervals; filled where the corrected test rejects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes


@dataclass(frozen=True)
class Point:
    """One estimate with its interval; `rejects` says whether its corrected test does; NaN is left out; `colour` is its own, or none."""

    place: int
    estimate: float
    low: float
    high: float
    rejects: bool
    colour: str | None = None

    @classmethod
    def of(cls, place: int, row: Mapping[str, Any], rejects: bool, colour: str | None = None) -> "Point":
        """Of a row of results."""
        low, high = row["interval"]
        return cls(place, row["estimate"], low, high, rejects, colour)


def forest(
    series: Sequence[tuple[str, str, str, Sequence[Point]]], labels: Sequence[str], *, null: float = 0.0, ax: Axes | None = None
) -> Axes:
    """Draw several series side by side: (name, colour, marker, points); `labels` name the places 0, 1, 2, ... from the bottom."""
    ax = plt.gca() if ax is None else ax
    ax.axvline(null, color="0.6", linewidth=0.6, zorder=0)
    for place in range(1, len(labels), 2) if len(series) > 1 else ():
        ax.axhspan(place - 0.5, place + 0.5, color="0.955", linewidth=0, zorder=-1)  # which points belong to one label
    for i, (name, colour, marker, points) in enumerate(series):
        shift = (0.3 if len(series) <= 3 else 0.84 / len(series)) * (i - (len(series) - 1) / 2)
        shown = [point for point in points if np.isfinite(point.estimate)]
        for point in shown:
            limits = [point.low, point.high] if np.isfinite(point.low) and np.isfinite(point.high) else [point.estimate] * 2
            own = point.colour or colour
            ax.plot(limits, [point.place + shift] * 2, color=own, linewidth=0.9, solid_capstyle="butt")
            face = own if point.rejects else "white"
            ax.plot(point.estimate, point.place + shift, marker, color=own, markerfacecolor=face, markeredgewidth=0.7)
        ax.plot([], [], marker, color=colour, label=name)
    every = max(1, int(np.ceil(len(labels) / 16)))
    ax.set_yticks(np.arange(len(labels))[::every], list(labels)[::every])
    ax.set_ylim(-0.7, len(labels) - 0.3)
    return ax
