"""What is dropped at a time, and in which order: two registries, each entry a function of the mentions.

The rules that see nothing but the caption (random, late, background) are rivals of a method that claims to see better. The oracles know the
image: "positions" knows only how often an object is absent at each place of a caption, "oracle" knows every mention, and is the most that
leaving out could reach.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Int

from analysis.omission.mentions import Mentions

FEW = 30
"""Units: places of a caption with fewer are taken together."""
Unit = Int[np.ndarray, "caption mention"]
Score = Float[np.ndarray, "caption unit"]


def _numbered(key: Unit, mentions: Mentions) -> Unit:
    """Keys as numbers from 0 in each caption, in the order of their first mention; -1 behind the last mention."""
    numbered = np.full_like(key, -1)
    for row, there in enumerate(mentions.there):
        seen: dict[int, int] = {}
        numbered[row, there] = [seen.setdefault(int(value), len(seen)) for value in key[row, there]]
    return numbered


UNITS: Mapping[str, Callable[[Mentions], Unit]] = {
    "mention": lambda m: np.where(m.there, np.arange(m.object.shape[1]), -1),
    "object": lambda m: _numbered(m.object, m),
    "sentence": lambda m: _numbered(m.sentence, m),
}
"""What goes as a whole: by mention, the number of its unit in the caption. A sentence that names no object is none: it changes nothing."""


def _late(m: Mentions, unit: Unit) -> Score:
    """How far into its caption a unit stands, in shares of the caption's units."""
    sizes = unit.max(1) + 1
    return (np.arange(max(sizes.max(), 1)) + 0.5) / np.maximum(sizes, 1)[:, None]


def _background(m: Mentions, unit: Unit) -> Score:
    """Background units first, late ones first among them and among the others."""
    return _late(m, unit) + share(m.background, unit)


def _positions(m: Mentions, unit: Unit) -> Score:
    """How often a unit at this place of a caption holds an absent object, over all captions."""
    holds, sizes = share(m.absent, unit) > 0, unit.max(1) + 1
    there = np.arange(holds.shape[1]) < sizes[:, None]
    enough = max(int((there.sum(0) >= FEW).sum()), 1)
    place = np.minimum(np.arange(holds.shape[1]), enough - 1)
    units, absent = (np.bincount(place, weights=(there & part).sum(0), minlength=enough) for part in (there, holds))
    return np.broadcast_to((absent / np.maximum(units, 1))[place], holds.shape)


def _oracle(m: Mentions, unit: Unit) -> Score:
    """Units with the largest share of absent mentions first, late ones first among equals."""
    return share(m.absent, unit) + 1e-3 * _late(m, unit)


ORDERS: Mapping[str, Callable[[Mentions, Unit], Score]] = {
    "late": _late,
    "background": _background,
    "positions": _positions,
    "oracle": _oracle,
}
"""By rule, a score a unit: the highest of all captions is dropped first. "random" needs none."""
RULES = ("random", *ORDERS)
LINES = (
    ("random", "mention"),
    ("random", "sentence"),
    ("late", "mention"),
    ("late", "sentence"),
    ("background", "sentence"),
    ("positions", "mention"),
)
"""Rule and unit of the lines that an arm is held to, wherever it is: none of them knows the single mention."""


def share(marked: np.ndarray, unit: Unit) -> Score:
    """By unit, the share of its mentions that are marked."""
    captions, units = len(unit), max(int(unit.max(initial=-1)) + 1, 1)
    flat = np.where(unit < 0, captions * units, unit + units * np.arange(captions)[:, None]).ravel()
    size, held = (np.bincount(flat, weights=w, minlength=captions * units + 1)[:-1] for w in (None, marked.ravel().astype(float)))
    return (held / np.maximum(size, 1)).reshape(captions, units)
