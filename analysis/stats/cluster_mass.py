"""Maps of layer x head or layer x step: where do two arms differ, corrected over all cells of the map at once.

Two corrections, both by flipping the signs of an image in all cells together, which keeps the dependence between cells. Max-T holds for
each cell by itself. Cluster mass (Maris & Oostenveld 2007) adds up neighbouring cells and finds wide weak differences that no cell shows
alone; its p is of the cluster as a whole and says neither where the cluster ends nor which cell of it differs.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.stats import t as student

from analysis.stats.paired import DRAWS, flips, sign_flip

CORRECTIONS = ("max_t", "cluster_mass")
# which cells of (flip, layer, column) hang together: never two flips
_NEIGHBOURS = {
    "layer": np.array([[[0, 0, 0]] * 3, [[0, 1, 0]] * 3, [[0, 0, 0]] * 3]),
    "grid": np.array([[[0, 0, 0]] * 3, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0, 0, 0]] * 3]),
    "heads": np.array([[[0, 0, 0]] * 3, [[0, 1, 0]] * 3, [[0, 0, 0]] * 3]),
}
ADJACENCIES = tuple(_NEIGHBOURS)
_BATCH = 2_000_000  # cells of flipped maps held at once


@dataclass(frozen=True)
class Clusters:
    """Clusters of a map.

    Attributes
    ----------
    t : one-sample t of each cell over images; NaN where a cell has fewer than 2 images or no difference
    label : number of the cell's cluster, from 1, those of positive differences first; 0 outside of any
    mass : sum of |t| over the cells of each cluster
    p : two-sided p of each cluster, corrected over all clusters of the map
    p_cell : the p of the cluster that a cell belongs to, 1 outside of any, NaN where t is
    """

    t: Float[np.ndarray, "layer column"]
    label: Int[np.ndarray, "layer column"]
    mass: Float[np.ndarray, " cluster"]
    p: Float[np.ndarray, " cluster"]
    p_cell: Float[np.ndarray, "layer column"]


def cluster_mass(
    differences: Float[np.ndarray, "image layer column"],
    adjacency: str = "grid",
    *,
    forming: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
) -> Clusters:
    """Cluster-mass test of zero mean differences by sign flips over images; all 2^n flips where these are at most `draws`.

    Parameters
    ----------
    differences : one number an image and cell, NaN where it has none
    adjacency : which cells are neighbours. "layer": the same column of the next layer; "grid": also the next column of the same layer,
        where columns have an order, such as steps; "heads": all columns of a layer and of the next one, since heads have no order
    forming : two-sided p below which a cell takes part in a cluster. Fixed before looking: it decides which shapes the test can see

    Raises
    ------
    ValueError : another adjacency, or `forming` not in (0, 1)
    """
    if adjacency not in ADJACENCIES:
        raise ValueError(f"cluster_mass.adjacency must be one of {', '.join(ADJACENCIES)}; got {adjacency!r}.")
    if not 0 < forming < 1:
        raise ValueError(f"cluster_mass.forming must lie in (0, 1); got {forming}.")
    images, *grid = differences.shape
    present = np.isfinite(differences).reshape(images, -1)
    values = np.where(present, differences.reshape(images, -1), 0.0)
    n, squares = present.sum(axis=0), (values**2).sum(axis=0)
    tested = (n >= 2) & (squares > 0)

    def t_of(sums: Float[np.ndarray, "*flip cell"]) -> Float[np.ndarray, "*flip cell"]:
        # the squares do not change under a flip, so a t needs its sum only; without spread it is very large instead of infinite
        left = np.maximum(squares - sums**2 / np.maximum(n, 1), 1e-12 * squares)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(tested, sums / np.sqrt(left * n / (n - 1)), 0.0)

    limit = np.where(tested, student.isf(forming / 2, np.maximum(n - 1, 1)), np.inf)
    signs, exact = flips(images, draws, seed)
    rows = max(1, _BATCH // max(1, values.shape[1]))
    largest = [np.zeros(0)]
    for start in range(0, len(signs), rows):
        t = t_of(np.where(signs[start : start + rows], 1.0, -1.0) @ values)
        _, weight = _clusters(t.reshape(-1, *grid), limit.reshape(grid), adjacency)
        largest.append(weight.max(axis=(1, 2), initial=0.0))
    null = np.concatenate(largest)
    t = t_of(values.sum(axis=0)).reshape(1, *grid)
    label, weight = (part[0] for part in _clusters(t, limit.reshape(grid), adjacency))
    mass = np.array([weight[label == number][0] for number in range(1, int(label.max(initial=0)) + 1)])
    extra = 0 if exact else 1  # the observed labelling is one of all flips; among random ones it is added
    p = np.array([((null >= one * (1 - 1e-9)).sum() + extra) / (len(null) + extra) for one in mass])
    p_cell = np.where(label > 0, np.append(p, 1.0)[label - 1], 1.0)  # label 0 reads the 1 at the end
    known = tested.reshape(grid)
    return Clusters(np.where(known, t[0], np.nan), label, mass, p, np.where(known, p_cell, np.nan))


def over_map(
    differences: Float[np.ndarray, "image layer column"],
    correction: str = "max_t",
    adjacency: str = "grid",
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Float[np.ndarray, "layer column"]:
    """Corrected p of every cell of a map, by "max_t" (of the cell) or "cluster_mass" (of its cluster); NaN where it cannot be tested.

    Raises
    ------
    ValueError : another correction, or another adjacency
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"over_map.correction must be one of {', '.join(CORRECTIONS)}; got {correction!r}.")
    if correction == "cluster_mass":
        return cluster_mass(differences, adjacency, draws=draws, seed=seed).p_cell
    flat = differences.reshape(len(differences), -1)
    return sign_flip(flat, draws=draws, seed=seed)[1].reshape(differences.shape[1:])


def _clusters(
    t: Float[np.ndarray, "flip layer column"], limit: Float[np.ndarray, "layer column"], adjacency: str
) -> tuple[Int[np.ndarray, "flip layer column"], Float[np.ndarray, "flip layer column"]]:
    """Number of each cell's cluster over all flips together (0: none), and that cluster's mass; signs never mix."""
    label, weight, before = np.zeros(t.shape, dtype=int), np.zeros(t.shape), 0
    for member in (t > limit, t < -limit):
        found, count = _connected(member, adjacency)
        mass = np.bincount(found.ravel(), weights=np.abs(t).ravel(), minlength=count + 1)
        label[member], weight[member] = found[member] + before, mass[found[member]]
        before += count
    return label, weight


def _connected(member: Bool[np.ndarray, "flip layer column"], adjacency: str) -> tuple[Int[np.ndarray, "flip layer column"], int]:
    if adjacency == "heads":
        found, count = ndimage.label(member.any(axis=2, keepdims=True), _NEIGHBOURS["heads"])
        return np.where(member, found, 0), count
    return ndimage.label(member, _NEIGHBOURS[adjacency])
