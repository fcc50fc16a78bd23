"""Paired comparison of two arms over images: location, effect size, and tests that assume no distribution."""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import wilcoxon

from analysis.stats.effects import standardised_change

DRAWS = 9999
_TIE = 1e-9  # flips whose statistic differs from the observed one by rounding alone count as reaching it


@dataclass(frozen=True)
class Paired:
    """What the differences of one quantity over images say; every field holds one value a quantity.

    Attributes
    ----------
    n : images with a value in both arms
    mean, median, hodges_lehmann : in the quantity's unit; Hodges-Lehmann is the median of all pairwise means
    d_z : mean over standard deviation of the differences
    g_av : mean over the arms' pooled standard deviation, with Hedges' small-sample factor
    p_wilcoxon, p_sign_flip : two-sided, each quantity alone
    p_max_t : the sign-flip p corrected over the quantities of `family`; NaN outside of it
    reason : why a test is NaN, or ""
    """

    n: np.ndarray
    mean: np.ndarray
    median: np.ndarray
    hodges_lehmann: np.ndarray
    d_z: np.ndarray
    g_av: np.ndarray
    p_wilcoxon: np.ndarray
    p_sign_flip: np.ndarray
    p_max_t: np.ndarray
    reason: tuple[str, ...]


def compare(
    treated: Float[np.ndarray, "image quantity"],
    control: Float[np.ndarray, "image quantity"],
    family: Bool[np.ndarray, " quantity"] | None = None,
    *,
    seed: int = 0,
) -> Paired:
    """Summary and tests of `treated - control` for each column; NaN in either arm leaves that image out of that column.

    `family` marks the columns that max-T corrects together; all if None.
    """
    values = treated - control
    family = np.ones(values.shape[1], dtype=bool) if family is None else family
    p_sign_flip, p_max_t = (np.full(values.shape[1], np.nan) for _ in range(2))
    p_sign_flip[family], p_max_t[family] = sign_flip(values[:, family], seed=seed)
    p_sign_flip[~family] = sign_flip(values[:, ~family], seed=seed)[0]
    columns = range(values.shape[1])
    pairs = [(treated[:, c][np.isfinite(values[:, c])], control[:, c][np.isfinite(values[:, c])]) for c in columns]
    with np.errstate(invalid="ignore", divide="ignore"):
        effects = np.array([standardised_change(a, b) for a, b in pairs]).reshape(-1, 2)
    return Paired(
        n=np.isfinite(values).sum(axis=0),
        mean=np.array([_or_nan(np.mean, a - b) for a, b in pairs]),
        median=np.array([_or_nan(np.median, a - b) for a, b in pairs]),
        hodges_lehmann=np.array([_or_nan(hodges_lehmann, a - b) for a, b in pairs]),
        d_z=effects[:, 0],
        g_av=effects[:, 1],
        p_wilcoxon=signed_ranks([a - b for a, b in pairs]),
        p_sign_flip=p_sign_flip,
        p_max_t=p_max_t,
        reason=tuple(untestable(a - b) for a, b in pairs),
    )


def untestable(differences: Float[np.ndarray, " image"]) -> str:
    """Why the finite differences of a quantity cannot be tested, or ""."""
    if len(differences) == 0:
        return "no image has a value in both arms"
    if len(differences) < 2:
        return "a test over images needs at least 2 images"
    return "all differences are zero" if not differences.any() else ""


def hodges_lehmann(values: Float[np.ndarray, " image"]) -> float:
    """Median of the Walsh averages (x_i + x_j) / 2, i <= j: the location estimate that belongs to the signed-rank test."""
    first, second = np.triu_indices(len(values))
    return float(np.median((values[first] + values[second]) / 2))


def signed_rank(values: Float[np.ndarray, " image"]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of one quantity, as `signed_ranks` tells it."""
    return float(signed_ranks([values])[0])


def signed_ranks(columns: Sequence[Float[np.ndarray, " _"]]) -> Float[np.ndarray, " quantity"]:
    """Two-sided p of Wilcoxon's signed-rank test (scipy): exact to 50 images without ties or zeros, else normal approximation.

    NaN where nothing can be ranked. Few images with ties get the approximation too; their exact test is the sign flip. Quantities with the
    same number of images go through scipy together, where each call takes longer than its ranks.
    """
    found, alike = np.full(len(columns), np.nan), defaultdict(list)
    for place, values in enumerate(columns):
        if not untestable(values):
            size = np.abs(values)
            exact = len(values) <= 50 and size.all() and len(np.unique(size)) == len(size)
            alike[len(values), "exact" if exact else "asymptotic"].append(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns that the approximation is coarse for few images
        for (_, method), places in alike.items():
            found[places] = wilcoxon(np.stack([columns[place] for place in places]), method=method, axis=1).pvalue
    return found


def sign_flip(
    differences: Float[np.ndarray, "image quantity"], *, draws: int = DRAWS, seed: int = 0
) -> tuple[Float[np.ndarray, " quantity"], Float[np.ndarray, " quantity"]]:
    """Two-sided p of the sign-flip permutation test of a zero mean, alone and corrected over the quantities by max-T.

    Exchanging the arms of an image flips the signs of all its differences together, so the dependence between quantities (layers)
    is kept: the corrected p compares each statistic with the largest one of every flip (Westfall & Young 1993), and holds the
    family-wise error whatever the dependence. All 2^n flips are used where they are no more than `draws`.

    Returns
    -------
    p, p_corrected : NaN where a quantity has fewer than 2 images or no difference at all; such a quantity is not in the family
    """
    present = np.isfinite(differences)
    values = np.where(present, differences, 0.0)
    scale = np.sqrt((values**2).sum(axis=0))
    tested = (present.sum(axis=0) >= 2) & (scale > 0)
    p, corrected = np.full(len(scale), np.nan), np.full(len(scale), np.nan)
    if tested.any():
        # |sum| / sqrt(sum of squares) orders the flips as |t| does (the squares never change), and needs no variance of a flip
        unit = values[:, tested] / scale[tested]
        observed = np.abs(unit.sum(axis=0)) - _TIE
        signs, exact = flips(len(values), draws, seed)
        null = np.abs(np.where(signs, 1.0, -1.0) @ unit)
        extra = 0 if exact else 1  # the observed labelling is one of all flips; among random ones it is added
        p[tested] = ((null >= observed).sum(axis=0) + extra) / (len(null) + extra)
        corrected[tested] = ((null.max(axis=1)[:, None] >= observed).sum(axis=0) + extra) / (len(null) + extra)
    return p, corrected


@lru_cache(maxsize=8)
def flips(images: int, draws: int, seed: int) -> tuple[Bool[np.ndarray, "flip image"], bool]:
    """All 2^images sign patterns where these are at most `draws` (second value True), else that many random ones."""
    if 2**images <= draws:
        return (np.arange(2**images)[:, None] >> np.arange(images)) % 2 == 1, True
    return np.random.default_rng(seed).random((draws, images)) < 0.5, False


def looked_at(images: int, draws: int = DRAWS) -> str:
    """How many of the sign patterns of so many images a test looks at, as the rows of results say it."""
    return f"all {2**images:,} patterns" if 2**images <= draws else f"{draws:,} draws"


def _or_nan(function, values: np.ndarray) -> float:
    return float(function(values)) if len(values) else float("nan")
