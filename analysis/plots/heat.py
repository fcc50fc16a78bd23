"""A map of layers by decoding steps; differences in diverging colours round zero, cells that pass a corrected test outlined."""

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from analysis.plots.style import DIVERGING, SEQUENTIAL


def heat(
    values: Float[np.ndarray, "layer step"],
    layers: Int[np.ndarray, " layer"],
    step: Int[np.ndarray, " step"],
    *,
    difference: bool = False,
    label: str = "",
    significant: Bool[np.ndarray, "layer bin"] | None = None,
    bins: Int[np.ndarray, "bin"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the map with its colour bar; the limits are the 99th percentile, so that one cell does not set the scale.

    `significant` marks cells of steps `bins[i]` to the next one; their common outline is drawn.
    """
    ax = plt.gca() if ax is None else ax
    finite = values[np.isfinite(values)]
    if difference:
        limit = float(np.percentile(np.abs(finite), 99)) if finite.size else 1.0
        low, high, colours = -(limit or 1.0), limit or 1.0, DIVERGING
    else:
        low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
        colours = SEQUENTIAL
    edges_x = np.append(step - 0.5, step[-1] + 0.5)
    edges_y = np.arange(len(layers) + 1) - 0.5
    mesh = ax.pcolormesh(edges_x, edges_y, np.ma.masked_invalid(values), cmap=colours, vmin=low, vmax=high, rasterized=True)
    ax.set_facecolor("0.92")
    every = max(1, int(np.ceil(len(layers) / 12)))
    ax.set_yticks(np.arange(len(layers))[::every], [str(layer) for layer in layers[::every]])
    if significant is not None and bins is not None and len(bins):
        ends = np.minimum(np.append(bins[1:], step[-1] + 1), step[-1] + 1) - 0.5
        ax.add_collection(LineCollection(outline(significant, bins - 0.5, ends), colors="k", linewidths=0.7))
    # under the map, not beside it: the axes above and below keep one width
    bar = ax.figure.colorbar(mesh, ax=ax, location="bottom", pad=0.03, aspect=40, extend="both" if finite.size else "neither")
    bar.set_label(label)
    bar.ax.locator_params(nbins=4)
    bar.outline.set_visible(False)
    return ax


def outline(
    cells: Bool[np.ndarray, "layer bin"], starts: Float[np.ndarray, "bin"], ends: Float[np.ndarray, "bin"]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Segments between cells that are in and cells that are out; layer i reaches from i - 0.5 to i + 0.5."""
    padded = np.pad(cells, 1)
    segments = []
    for layer, b in np.argwhere(cells):
        left, right, bottom, top = float(starts[b]), float(ends[b]), layer - 0.5, layer + 0.5
        sides = {(0, -1): ((left, bottom), (left, top)), (0, 1): ((right, bottom), (right, top))}
        sides |= {(-1, 0): ((left, bottom), (right, bottom)), (1, 0): ((left, top), (right, top))}
        segments += [side for (up, along), side in sides.items() if not padded[layer + 1 + up, b + 1 + along]]
    return segments
