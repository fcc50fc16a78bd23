"""The tests of analysis/omission, and captions of known truth for them."""

import numpy as np

OBJECTS, THERE = 40, 6
"""Objects that there are, and how many of them each image has: numbers 0 to 5 of its own order."""


def invented(images: int, seed: int, mentions: tuple[int, int] = (3, 11)) -> tuple[list[list[tuple[int, bool, int, bool]]], list[int]]:
    """Captions in which a mention is the likelier absent the later it comes; two mentions a sentence, the last third in the background."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(images):
        size = int(rng.integers(*mentions))
        row = []
        for place in range(size):
            absent = bool(rng.random() < 0.05 + 0.06 * place)
            number = int(rng.integers(THERE, OBJECTS)) if absent else int(rng.integers(THERE))
            row.append((number, absent, place // 2, place >= 2 * size / 3))
        rows.append(row)
    return rows, [THERE] * images


def thinned(rows, keep, seed: int):
    """The captions with each mention kept with the probability that `keep(mention, place, size)` gives."""
    rng = np.random.default_rng(seed)
    return [[m for place, m in enumerate(row) if rng.random() < keep(m, place, len(row))] for row in rows]
