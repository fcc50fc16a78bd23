"""Where attention goes: shares of groups of keys stacked over decoding steps."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes


def composition(
    step: Int[np.ndarray, " step"],
    shares: Mapping[str, Float[np.ndarray, " step"]],
    colours: Mapping[str, str],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Stack the shares, in their order from below; steps where any share is missing are left out."""
    ax = plt.gca() if ax is None else ax
    values = np.stack(list(shares.values()))
    known = np.isfinite(values).all(axis=0)
    if known.any():
        bands = ax.stackplot(step[known], values[:, known], colors=[colours[name] for name in shares], labels=list(shares), linewidth=0)
        for band in bands:
            band.set_edgecolor("white")
            band.set_linewidth(0.25)
        if known.sum() > 1:
            ax.set_xlim(step[known][0], step[known][-1])
    ax.set_ylim(0, 1)
    return ax
