"""A mean over images at every decoding step, with the band of its cluster bootstrap, and how many images are still there."""

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes


def steps(
    step: Int[np.ndarray, " step"],
    mean: Float[np.ndarray, " step"],
    low: Float[np.ndarray, " step"] | None = None,
    high: Float[np.ndarray, " step"] | None = None,
    *,
    at_risk: Int[np.ndarray, " step"] | None = None,
    colour: str = "0.2",
    label: str | None = None,
    style: str = "-",
    ax: Axes | None = None,
) -> Axes:
    """Draw one line and its band; the line ends where fewer than a tenth of the images (and fewer than 5) are left."""
    ax = plt.gca() if ax is None else ax
    keep = np.isfinite(mean) if at_risk is None else np.isfinite(mean) & (at_risk >= fewest(at_risk))
    shown = np.where(keep, mean, np.nan)
    ax.plot(step, shown, style, color=colour, label=label)
    if low is not None and high is not None:
        ax.fill_between(step, low, high, where=keep & np.isfinite(low) & np.isfinite(high), color=colour, alpha=0.22, linewidth=0)
    return ax


def fewest(at_risk: Int[np.ndarray, " step"]) -> int:
    """Fewest images whose mean is still drawn: a tenth of all, at least 5, but all where there are fewer."""
    most = int(at_risk.max(initial=0))
    return max(1, min(most, max(5, int(np.ceil(most / 10)))))


def risk_table(
    step: Int[np.ndarray, " step"],
    counts: Mapping[str, tuple[Int[np.ndarray, " step"], str]],
    *,
    marks: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Write the number of images at risk under the axis, a line an arm: label -> (count at each step, colour)."""
    ax = plt.gca() if ax is None else ax
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if max(low, step.min()) <= tick <= min(high, step.max())]
    chosen = ticks[:: max(1, int(np.ceil(len(ticks) / (marks + 1))))]
    for row, (label, (count, colour)) in enumerate(counts.items()):
        depth = -24 - 7 * row  # points under the axis: tick labels and axis label come first
        about: dict[str, Any] = dict(
            xycoords=ax.get_xaxis_transform(), textcoords="offset points", va="top", fontsize=5.5, color=colour, annotation_clip=False
        )
        for tick in chosen:
            at = int(count[np.argmin(np.abs(step - tick))])
            ax.annotate(str(at), (tick, 0), xytext=(0, depth), ha="center", **about)
        ax.annotate(label, (low, 0), xytext=(-9, depth), ha="right", **about)
    return ax


def last_step(at_risk: Iterable[np.ndarray]) -> int:
    """Last step at which enough images of any arm are left to draw a mean."""
    ends = [np.flatnonzero(np.nan_to_num(count) >= fewest(np.nan_to_num(count).astype(int))) for count in at_risk]
    return max([int(end[-1]) for end in ends if len(end)] or [1])
