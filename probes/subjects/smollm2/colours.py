"""The colour of a drawn object, as one says it: the colour that most of its glyph has, if one does."""

from functools import lru_cache

import numpy as np

from probes.subjects.emoji.scenes import sprite

# OpenMoji's palette. Its orange (e27022) is not said: the word names a fruit that CHAIR counts.
PALETTE = {
    "red": ("ea5a47", "d22f27"),
    "golden": ("f4aa41", "f1b31c"),
    "yellow": ("fcea2b",),
    "green": ("5c9e31", "b1cc33"),
    "blue": ("92d3f5", "61b2e4", "1e50a0"),
    "purple": ("b399c8", "8967aa"),
    "pink": ("ffa7c0", "e67a94"),
    "brown": ("a57939", "6a462f"),
    "gray": ("9b9b9a", "d0cfce", "3f3f3f"),
    "white": ("ffffff",),
    "": ("e27022",),
}
OUTLINE = 48
SHARE = 0.5
SIZE = 96


@lru_cache(maxsize=256)
def colour(glyph: str) -> str | None:
    """The colour of more than half of a glyph's pixels, its black outline left out; None where no colour has as many."""
    drawn = np.asarray(sprite(glyph, SIZE, False)).reshape(-1, 4)
    pixels = drawn[(drawn[:, 3] > 200) & (drawn[:, :3].max(1) > OUTLINE), :3].astype(float)
    names = [name for name, shades in PALETTE.items() for _ in shades]
    shades = np.array([[int(shade[i : i + 2], 16) for i in (0, 2, 4)] for listed in PALETTE.values() for shade in listed], float)
    nearest = ((pixels[:, None] - shades) ** 2).sum(-1).argmin(1)
    counts = {name: sum(int((nearest == i).sum()) for i, other in enumerate(names) if other == name) for name in PALETTE}
    best = max(counts, key=counts.__getitem__)
    return best if best and counts[best] > SHARE * len(pixels) else None
