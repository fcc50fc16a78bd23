"""The three drawings."""

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from analysis.plots.style import ARM_COLOURS, ARM_LABELS, GROUP_COLOURS, NULL_COLOUR, PAGE, figure, letter
from kvsmooth.spans import GROUPS

NOTE = (
    "a: smollm2, one caption, mean over the heads of layer {layer}, the first column drawn wider; the strip says what a key is (sliver: "
    "the system's words). b: {n} captions of smollm2,\nthe same tokens fed to both arms; bands: {level:.4g} % intervals over images; "
    "grey: what uniform attention would leave, scaled to the first token (dot). c: the dose is λ_ref, 0.7 here."
)
SHOWN = ("bos", "image", "prompt", "generated")
WINDOW = 15
WIDER = 5
FAINTEST = 2e-3


def concepts(attention: xr.Dataset, drift: xr.Dataset, level: float) -> tuple[Figure, str]:
    """The figure and the note under it."""
    made = figure(PAGE, 3.0)
    axes = made.subplots(1, 3, width_ratios=(1.1, 1, 1.1))
    sink(axes[0], attention)
    dilution(axes[1], drift)
    timeline(axes[2])
    for ax, name, title in zip(
        axes, "abc", ("a sink: where attention piles up", "drift, or dilution?", "what is smoothed, and when"), strict=True
    ):
        letter(ax, name, title)
    return made, NOTE.format(layer=attention.attrs["layer"], n=drift.sizes["image"], level=100 * level)


def sink(ax: Axes, attention: xr.Dataset) -> None:
    """The rows of generated tokens; the bright column is the first token, drawn `WIDER` times as wide as another."""
    groups = [GROUPS[i] if i >= 0 else "" for i in attention["group"].values]
    rows = [i for i, name in enumerate(groups) if name == "generated"]
    first = groups.index("bos")
    columns = [first] * WIDER + [i for i in range(len(groups)) if i != first]
    shown = attention["attention"].values[np.ix_(rows, columns)]
    deep = len(rows)
    told: dict[str, Any] = {"aspect": "auto", "cmap": "magma", "norm": LogNorm(FAINTEST, 1, clip=True), "interpolation": "nearest"}
    drawn = ax.imshow(shown, extent=(0, len(columns), deep, 0), **told)
    bar = ax.inset_axes((0.24, 0.16, 0.3, 0.025))
    ax.figure.colorbar(drawn, cax=bar, orientation="horizontal", ticks=[])
    bar.spines[:].set_visible(False)
    for at, text, side in ((-0.03, f"{100 * FAINTEST:g} %", "right"), (1.03, "100 %", "left")):
        bar.text(at, 0.5, text, transform=bar.transAxes, color="white", fontsize=5.8, va="center", ha=side)
    for place, column in enumerate(columns):
        strip = Rectangle((place, deep * 1.02), 1, deep * 0.06, color=GROUP_COLOURS.get(groups[column], "white"), lw=0, clip_on=False)
        ax.add_patch(strip)
    share = 100 * float(attention["attention"].values[rows, first].mean())
    arrow: dict[str, Any] = {
        "arrowprops": {"arrowstyle": "->", "color": "white", "lw": 0.8},
        "color": "white",
        "fontsize": 6.5,
        "va": "center",
    }
    ax.annotate(f"the first token has\n{share:.0f} % of the attention", (WIDER, deep * 0.72), (len(columns) * 0.2, deep * 0.72), **arrow)
    ax.set(ylabel="generated token", ylim=(deep * 1.08, 0), yticks=[0, deep], xticks=[])
    ax.spines[["bottom"]].set_visible(False)
    for name in SHOWN:
        middle = np.mean([place for place, column in enumerate(columns) if groups[column] == name]) + 0.5
        label = {"bos": "first", "generated": "caption"}.get(name, name)
        ax.text(float(middle), deep * 1.1, label, fontsize=5.8, color=GROUP_COLOURS[name], va="top", ha="center", fontweight="bold")


def dilution(ax: Axes, drift: xr.Dataset) -> None:
    """Attention on the image over the caption, and what uniform attention would leave it."""
    part = drift.sel(regime="replay")
    alive = part["alive"].sel(arm="baseline").values >= drift.sizes["image"] / 2
    steps = part["step"].values[alive][1:]
    for arm in ("baseline", "kvsmooth"):
        found = part.sel(arm=arm, quantity="mass_image")
        value, low, high = (100 * found[name].values[alive][1:] for name in ("curve", "curve_low", "curve_high"))
        ax.fill_between(steps, low, high, color=ARM_COLOURS[arm], alpha=0.25, lw=0)
        ax.plot(steps, value, color=ARM_COLOURS[arm], label=ARM_LABELS[arm])
    null = part.sel(arm="baseline", quantity="dilution_image")["curve"].values[alive][1:]
    scale = float(part.sel(arm="baseline", quantity="mass_image")["curve"].values[alive][1] / null[0])
    ax.plot(steps, 100 * scale * null, color=NULL_COLOUR, ls=(0, (4, 2)), label="dilution alone")
    ax.plot(steps[0], 100 * scale * null[0], "o", color=NULL_COLOUR, markersize=3)
    ax.set(xlabel="token of the caption", ylabel="attention on the image (%)", ylim=(0, None))
    ax.legend(frameon=False, fontsize=6)


def timeline(ax: Axes) -> None:
    """The cache of a layer: prompt, past tokens, the newest mixed with the one before it, at a rate that its attention row decides."""
    ax.set(xlim=(0, 9), ylim=(0, 7))
    ax.set_axis_off()
    for row, name in ((3.4, "K"), (2.3, "V")):
        ax.text(0.0, row + 0.4, name, fontsize=8, fontweight="bold", va="center")
        for i in range(8):
            colour = GROUP_COLOURS["image"] if i < 3 else GROUP_COLOURS["generated"]
            ax.add_patch(Rectangle((0.7 + i, row), 0.85, 0.8, facecolor=colour, alpha=0.35 if i < 7 else 1.0, edgecolor="0.3", lw=0.6))
        ax.add_patch(
            FancyArrowPatch(
                (7.1, row + 0.85),
                (8.1, row + 0.85),
                connectionstyle="arc3,rad=-0.6",
                arrowstyle="->",
                mutation_scale=7,
                lw=1,
                color=ARM_COLOURS["kvsmooth"],
            )
        )
    ax.text(2.1, 1.9, "prompt:\nnever\ntouched", fontsize=6, ha="center", va="top")
    ax.text(5.5, 1.9, "earlier tokens:\nas smoothed then", fontsize=6, ha="center", va="top")
    ax.text(8.4, 1.9, "newest", fontsize=6, ha="center", va="top", fontweight="bold")
    ax.text(0.7, 6.6, "1  its attention row: how diffuse? (entropy)", fontsize=6.3, va="center")
    ax.text(0.7, 5.9, f"2  rank among the last {WINDOW}, clipped to $\\lambda_{{ref}}$ ± 0.2: λ", fontsize=6.3, va="center")
    ax.text(0.7, 5.2, "3  after it was used, it is mixed with the one before:", fontsize=6.3, va="center")
    ax.text(
        5.2,
        0.45,
        r"$K_t \leftarrow (1-\lambda)\,K_t + \lambda\,K_{t-1}$,   $V_t$ likewise",
        fontsize=7.5,
        ha="center",
        color=ARM_COLOURS["kvsmooth"],
    )


def level_of(results: str) -> float:
    """Coverage of the intervals in a results file."""
    return float(json.loads(results)["provenance"]["config"]["level"])
