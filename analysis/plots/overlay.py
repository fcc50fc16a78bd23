"""Attention over an image: how much more, or less, each patch gets than under a null, such as attention that knows nothing."""

from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from analysis.plots.style import DIVERGING

LIMIT = 4.0  # ratio at which the colours end, and its inverse on the other side
OPAQUE = 0.75


def overlay(
    image: UInt8[np.ndarray, "height width 3"], ratio: Float[np.ndarray, "row column"], *, limit: float = LIMIT, ax: Axes | None = None
) -> Axes:
    """Draw the image in grey under its patches, coloured by the logarithm of `ratio`; a patch at its null, or at NaN, is clear.

    Parameters
    ----------
    ratio : attention on each patch over its null
    """
    ax = plt.gca() if ax is None else ax
    height, width = image.shape[:2]
    extent = (0, width, height, 0)
    grey = image.astype(float) @ [0.299, 0.587, 0.114]
    # pale: colours say how much, the drawing says where
    ax.imshow(140 + grey * 115 / 255, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="antialiased")
    with np.errstate(divide="ignore"):
        power = np.clip(np.nan_to_num(np.log2(ratio)) / np.log2(limit), -1, 1)
    colours = matplotlib.colormaps[DIVERGING]((power + 1) / 2)
    colours[..., 3] = np.abs(power) * OPAQUE  # as opaque as it is far from the null
    ax.imshow(colours, extent=extent, interpolation="nearest")
    ax.vlines(np.linspace(0, width, ratio.shape[1] + 1), 0, height, color="0.6", linewidth=0.2)
    ax.hlines(np.linspace(0, height, ratio.shape[0] + 1), 0, width, color="0.6", linewidth=0.2)
    ax.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    ax.spines[:].set_visible(False)
    return ax


def ratio_bar(axes: Sequence[Axes], label: str, *, limit: float = LIMIT) -> None:
    """One bar of colours under the overlays `axes`, in powers of two; `label` says which ratio it is."""
    reach = np.log2(limit)
    bar = axes[0].figure.colorbar(
        ScalarMappable(Normalize(-reach, reach), DIVERGING), ax=list(axes), location="bottom", aspect=50, shrink=0.6, extend="both"
    )
    powers = np.arange(-np.floor(reach), np.floor(reach) + 1)
    bar.set_ticks(powers.tolist(), labels=[f"{2.0**power:g}" for power in powers])
    bar.set_label(label)
    bar.outline.set_visible(False)
