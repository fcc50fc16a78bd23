"""A caption as it reads, each word on a ground of its own colour: by a number, with a bar, or by a class, with a legend."""

from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.patches import Patch, Rectangle

from analysis.plots.style import OBJECT_COLOURS, SEQUENTIAL

SIZE = 7.0  # points
ADVANCE = 0.62  # room of a character, in type sizes: DejaVu Sans Mono takes 0.602, which screens round up to whole pixels
MARGIN = 0.25  # of a word's ground, in characters
MARK = OBJECT_COLOURS["hallucinated"]  # what is underlined, as a rule; an arm's colour would say that the arm did it


def valued(
    pieces: Sequence[str],
    values: Float[np.ndarray, " piece"],
    *,
    label: str = "",
    limits: tuple[float, float] | None = None,
    marked: Collection[int] = (),
    ax: Axes | None = None,
) -> Axes:
    """Words coloured by a number, with the bar of colours below; a word without a number (NaN) stays white.

    Parameters
    ----------
    pieces : the tokens' texts, a space before those that begin a word
    label : what the number is, with its unit
    limits : values of the ends of the bar; those of the data if None
    marked : indices of pieces that are underlined, such as hallucinated words
    """
    ax = plt.gca() if ax is None else ax
    finite = values[np.isfinite(values)]
    low, high = limits or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0))
    scale = ScalarMappable(Normalize(low, high if high > low else low + 1), SEQUENTIAL)
    text(pieces, [scale.to_rgba(value) if np.isfinite(value) else None for value in values], marked=marked, ax=ax)
    bar = ax.figure.colorbar(scale, ax=ax, location="bottom", shrink=0.4, anchor=(0.0, 1.0), pad=0.03, aspect=45)
    bar.set_label(label)
    bar.ax.locator_params(nbins=5)
    bar.outline.set_visible(False)
    return ax


def classed(
    pieces: Sequence[str], names: Sequence[str | None], colours: Mapping[str, str], *, marked: Collection[int] = (), ax: Axes | None = None
) -> Axes:
    """Words coloured by a class, None for no class; the legend names each class of `colours` with the number of its words."""
    ax = plt.gca() if ax is None else ax
    text(pieces, [None if name is None else colours[name] for name in names], marked=marked, ax=ax)
    patches = [Patch(color=colour, label=f"{name} ({sum(each == name for each in names)})") for name, colour in colours.items()]
    ax.legend(
        handles=patches, loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=0.4, ncols=len(patches), borderpad=0, handlelength=1.0
    )
    return ax


def text(pieces: Sequence[str], colours: Sequence, *, marked: Collection[int] = (), size: float = SIZE, ax: Axes | None = None) -> Axes:
    """Set the words in lines as wide as the axes, on their colours (None is no ground), black or white by what can be read there.

    The type keeps its size in points, so axes that change their width afterwards leave gaps or overlap: give them their size first.
    """
    ax = plt.gca() if ax is None else ax
    ax.set_axis_off()
    ax.get_figure(root=True).draw_without_rendering()  # the layout decides the width
    width = ax.get_window_extent().width / ax.figure.dpi * 72
    places, lines = wrapped(pieces, max(20, int(width / (ADVANCE * size))))
    ax.set_xlim(0, width / (ADVANCE * size))
    ax.set_ylim(lines, 0)
    for i, (piece, (line, start), colour) in enumerate(zip(pieces, places, colours, strict=True)):
        shown = piece.strip()
        last = i + 1 == len(pieces) or pieces[i + 1].startswith(" ")
        left, right = start - MARGIN * piece.startswith(" "), start + len(shown) + MARGIN * last  # none inside a word
        if colour is not None:
            ax.add_patch(Rectangle((left, line + 0.1), right - left, 0.8, facecolor=colour, edgecolor="none", linewidth=0))
        ink = "white" if colour is not None and _luminance(colour) < 0.4 else "black"
        ax.text(start, line + 0.5, shown, fontsize=size, family="monospace", color=ink, va="center_baseline", parse_math=False)
        if i in marked:
            ax.plot([left, right], [line + 0.96] * 2, color=MARK, linewidth=1.6, solid_capstyle="butt")
    return ax


def wrapped(pieces: Sequence[str], width: int) -> tuple[list[tuple[int, int]], int]:
    """Line and first character of each piece, in lines of at most `width` characters, and the number of lines.

    Lines are broken at spaces; inside a word, between its pieces, only where it is longer than a line; a piece never.
    """
    places: list[tuple[int, int]] = []
    line, at, i = 0, 0, 0
    while i < len(pieces):
        lengths, end = [len(pieces[i].strip())], i + 1  # a word: a piece and those after it that follow without a space
        while end < len(pieces) and not pieces[end].startswith(" ") and sum(lengths) + len(pieces[end].strip()) <= width:
            lengths.append(len(pieces[end].strip()))
            end += 1
        start = at + 1 if at else 0
        if at and start + sum(lengths) > width:
            line, start = line + 1, 0
        for length in lengths:
            places.append((line, start))
            start += length
        at, i = start, end
    return places, line + 1


def _luminance(colour) -> float:
    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue
