"""Small names beside points of a crowded panel, each where it covers least."""

from collections.abc import Sequence
from math import hypot
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

SIZE = 4.8
"""Points; a letter is taken to be 0.6 of it wide."""
MARK = 2.2
"""Half the side of a point's square, in points."""
HIDDEN = 4
"""What covering a named point costs beside the same area of anything else: who reads its name looks for it."""
_SIDES = [(1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1)]
_ACROSS, _ALONG = {1: "left", 0: "center", -1: "right"}, {1: "bottom", 0: "center", -1: "top"}
Box = tuple[float, float, float, float]


def names(
    ax: Axes, named: Sequence[tuple[str, tuple[float, float]]], others: Sequence[tuple[float, float]] = (), *, apart: float = 0.0
) -> list[tuple[int, int] | None]:
    """Write each text beside its point, on that of eight sides where it covers least of the points and of the texts before it.

    Places are judged by the axes as they are now: draw everything else before.

    Parameters
    ----------
    named : text and point, in data coordinates
    others : further points that should stay free, in data coordinates
    apart : points nearer to one another than this, in points, stay without their names

    Returns
    -------
    the side of each: (1, 0) right of its point, (0, 1) above, and so on; None of those that are not written
    """
    if not named:
        return []
    ax.autoscale_view()  # what was drawn moves the limits only now
    scale = 72 / ax.figure.dpi
    spots = [tuple(scale * value for value in ax.transData.transform(at)) for at in (*(at for _, at in named), *others)]
    taken: list[Box] = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in spots]
    cost = [HIDDEN] * len(named) + [1] * len(others)
    chosen: list[tuple[int, int] | None] = []
    for (text, at), spot in zip(named, spots, strict=False):
        if any(hypot(spot[0] - x, spot[1] - y) < apart for x, y in spots[: len(named)] if (x, y) != spot):
            chosen.append(None)
            continue
        boxes = {side: _box(spot, text, side) for side in _SIDES}
        hidden = {side: sum(each * _shared(box, other) for each, other in zip(cost, taken, strict=True)) for side, box in boxes.items()}
        best = min(_SIDES, key=hidden.__getitem__)  # the first of the best
        taken.append(boxes[best])
        cost.append(1)
        chosen.append(best)
        offset = tuple((MARK + 0.8) * way for way in best)
        place: dict[str, Any] = {
            "xytext": offset,
            "textcoords": "offset points",
            "ha": _ACROSS[best[0]],
            "va": _ALONG[best[1]],
            "zorder": 6,
        }
        written = ax.annotate(text, at, fontsize=SIZE, color="0.1", **place)
        written.set_path_effects([withStroke(linewidth=1.2, foreground="white")])
    return chosen


def _box(spot: tuple[float, float], text: str, side: tuple[int, int]) -> Box:
    """Where a text would stand, in points."""
    width, height = 0.6 * SIZE * len(text), 1.1 * SIZE
    x, y = (at + (MARK + 0.8) * way for at, way in zip(spot, side, strict=True))
    left, low = x + width * (side[0] - 1) / 2, y + height * (side[1] - 1) / 2
    return left, low, left + width, low + height


def _shared(one: Box, other: Box) -> float:
    """Area that two boxes share."""
    across, along = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    return max(across, 0.0) * max(along, 0.0)
