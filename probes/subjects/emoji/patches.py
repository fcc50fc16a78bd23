"""Which object each patch of a scene shows: what a tower is aligned with."""

import numpy as np
from jaxtyping import Int

from probes.subjects.emoji.scenes import Scene


def largest(scene: Scene, grid: int, share: float) -> Int[np.ndarray, " patch"]:
    """By patch, row by row, the place in ``scene.objects`` of the object that fills most of it; -1 where none fills ``share`` of the patch.

    Parameters
    ----------
    grid : patches a side
    """
    side = scene.image.width // grid
    if not scene.objects:
        return np.full(grid * grid, -1)
    blocks = scene.pixels.reshape(grid, side, grid, side)
    counts = np.stack([(blocks == n).sum((1, 3)) for n in range(1, len(scene.objects) + 1)])
    return np.where(counts.max(0) >= share * side * side, counts.argmax(0), -1).ravel()
