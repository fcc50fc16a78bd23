"""How strong the smoothing was: distribution of its rates, and how many sit on the lower and the upper clip."""

from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from analysis.plots.style import SEQUENTIAL


def ecdf(
    grid: Float[np.ndarray, " rate"], below: Float[np.ndarray, "layer rate"], layers: Int[np.ndarray, " layer"], *, ax: Axes | None = None
) -> Axes:
    """Share of steps with a rate at or below each value, a line a layer, shallow layers dark."""
    ax = plt.gca() if ax is None else ax
    known = np.flatnonzero(np.isfinite(below).all(axis=1))
    colours = matplotlib.colormaps[SEQUENTIAL](np.linspace(0, 0.9, max(len(known), 1)))
    for colour, i in zip(colours, known, strict=False):
        label = f"layer {layers[i]}" if i in (known[0], known[-1]) else None
        ax.plot(grid, below[i], drawstyle="steps-post", color=colour, linewidth=0.9, label=label)
    ax.set_ylim(0, 1.02)
    return ax


def clipped(
    shares: Sequence[tuple[str, str, Float[np.ndarray, " layer"]]], layers: Int[np.ndarray, " layer"], *, ax: Axes | None = None
) -> Axes:
    """Stacked bars by layer: (name, colour, share of steps)."""
    ax = plt.gca() if ax is None else ax
    base = np.zeros(len(layers))
    for name, colour, share in shares:
        ax.bar(np.arange(len(layers)), share, bottom=base, color=colour, width=0.8, label=name)
        base = base + np.nan_to_num(share)
    every = max(1, -(-len(layers) // 16))
    ax.set_xticks(np.arange(len(layers))[::every], [str(layer) for layer in layers[::every]])
    ax.set_ylim(0, 1)
    return ax
