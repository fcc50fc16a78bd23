"""The figure of this part: what heads write beside how much they lean on one token, norms of patches, lives of secondary sinks."""

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.style import ARM_COLOURS, BLACK, NULL_COLOUR, PAGE, PALE, WINE, figure, legend, letter
from analysis.sinks.anatomy.names import OUTLIER, SCENES, SINK

NOTE = (
    f"First {SCENES} captions. a: each head; dotted: from here on it leans on one token; hidden: that token is taken out of its rows.\n"
    "b: distance from the image's median norm in robust standard deviations; line and band: median, 10 to 90 % of images."
)
OBSERVED = ARM_COLOURS["baseline"]  # all of this is read without smoothing


def anatomy(data: xr.Dataset) -> Figure:
    """Three panels."""
    made = figure(PAGE, 2.5)
    axes = made.subplots(1, 3)
    ranks(axes[0], data)
    letter(axes[0], "a", "rank of what a head writes")
    norms(axes[1], data)
    letter(axes[1], "b", "largest norm of a patch")
    lives(axes[2], data)
    letter(axes[2], "c", "secondary sinks")
    return made


def ranks(ax: Axes, data: xr.Dataset) -> None:
    """Effective rank of each head's outputs over the share of its most read key; with that key hidden; under uniform attention."""
    share = data["head_share"].values.ravel()
    looks = {
        "uniform": ("uniform attention", NULL_COLOUR, "x"),
        "without": ("that token hidden", WINE, "o"),
        "observed": ("as it is", OBSERVED, "o"),
    }
    for version, (told, shade, marker) in looks.items():
        rank = data["head_rank"].sel(measure="effective", version=version).values.ravel()
        ax.plot(share, rank, marker, color=shade, markersize=1.8, markeredgewidth=0.5, alpha=0.7, linestyle="none", label=told)
    ax.axvline(SINK, color="0.6", linewidth=0.6, linestyle=":", zorder=0)
    ax.set(xlabel="share of attention on the most read token", ylabel="effective rank", xlim=(0, 1), ylim=(0, None))
    top = ax.get_ylim()[1]
    ax.set_ylim(0, 1.35 * top)
    legend(ax, loc="upper right", markerscale=1.6, handletextpad=0.2)


def norms(ax: Axes, data: xr.Dataset) -> None:
    """By layer of the tower, the largest robust z of an image's patches; a ring at the layer that the language model reads."""
    if not data.sizes["tower"]:
        ax.text(0.5, 0.5, "patches and image tokens\nare not one to one", ha="center", va="center", transform=ax.transAxes)
        return
    values, layers, read = data["tower_z"].values, data["tower"].values, json.loads(data.attrs["anatomy"])["read"]
    low, middle, high = np.nanpercentile(values, [10, 50, 90], axis=0)
    ax.fill_between(layers, low, high, color=OBSERVED, alpha=0.25, linewidth=0)
    ax.plot(layers, middle, "o-", color=OBSERVED)
    ax.axhline(OUTLIER, color="0.4", linewidth=0.7, linestyle="--")
    place: dict[str, Any] = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "annotation_clip": False}
    ax.annotate("outliers\nabove", (1, OUTLIER), xytext=(1, 0), fontsize=5.5, color="0.3", va="center", **place)
    if read >= 0:
        ax.plot(read, middle[read], "o", markersize=8, markerfacecolor="none", markeredgecolor="k", label="read by the language model")
        legend(ax, loc="upper left")
    ax.set(xlabel="layer of the image tower", ylabel="robust z of the norm", xticks=layers)
    ax.set_ylim(0, 1.3 * max(float(np.nanmax(high)), OUTLIER))


def lives(ax: Axes, data: xr.Dataset) -> None:
    """By layer of the language model: tokens behind the first that become a sink there, those that are one, and whether the first is."""
    layers = data["layer"].values
    ax.bar(layers, data["born"].mean("scene").values, color=PALE, width=0.8, label="become one here")
    ax.plot(layers, data["alive"].mean("scene").values, "o-", color=OBSERVED, markersize=2, label="are one here")
    ax.plot(
        layers,
        data["first_alive"].mean("scene").values,
        color=BLACK,
        linewidth=0.9,
        linestyle="--",
        label="first token (share of captions)",
    )
    ax.set(xlabel="layer", ylabel="tokens a caption", ylim=(0, None))
    ax.set_ylim(0, 1.45 * max(ax.get_ylim()[1], 0.5))
    ax.locator_params(axis="x", integer=True)
    legend(ax, loc="upper right")
