"""A table of differences as a picture: one row a condition, one column a measure, each column in a scale of its own."""

from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from analysis.plots.style import DIVERGING


def matrix(
    values: Float[np.ndarray, "row column"],
    rejects: Bool[np.ndarray, "row column"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    formats: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each value as a number on its colour: the deepest of a column is its largest size; `rejects` prints bold in a frame."""
    ax = plt.gca() if ax is None else ax
    formats = formats or ["{:+.3f}"] * len(columns)
    largest = np.nanmax(np.abs(np.where(np.isfinite(values), values, 0.0)), axis=0)
    scaled = values / np.where(largest > 0, largest, 1.0)
    # the palest two thirds of the scale, so that dark figures can be read on every cell
    colours = matplotlib.colormaps[DIVERGING]((0.62 * scaled + 1) / 2)
    colours[~np.isfinite(values)] = (0.92, 0.92, 0.92, 1.0)
    ax.imshow(colours, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = formats[column].format(value) if np.isfinite(value) else "–"
        passed = bool(rejects[row, column])
        ax.text(column, row, text, ha="center", va="center", fontsize=5.5, color="0.1", fontweight="bold" if passed else "normal")
        if passed:
            ax.add_patch(Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, fill=False, edgecolor="0.1", linewidth=0.7))
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax
