"""Permutation tests inside images: labels exchanged within their image, or a series shifted circularly within its caption.

What an image has as a whole (how many mentions, how high its entropy) stays as it is, so only association *within* images is tested. A
circular shift also keeps the order of a series, and with it the autocorrelation that makes neighbouring tokens resemble each other.

Permute a statistic that is itself within images. The pooled AUROC under a permutation within images does not centre at 0.5 but at
whatever the differences between images make of it; `within_auroc` does centre there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Num, Shaped
from scipy.stats import rankdata

DRAWS = 999
_CELLS = 4_000_000  # permuted labels held at once
_TIE = 1e-9  # draws that differ from the observed statistic by rounding alone count as reaching it
_ROUNDING = 1e-10  # of a column's largest value: what may be left of a constant after its mean is taken off

_Order = Callable[[np.random.Generator, int], Int[np.ndarray, "draw case"]]
Statistic = Callable[[Float[np.ndarray, "case quantity"], Num[np.ndarray, "draw case"]], Float[np.ndarray, "draw quantity"]]


@dataclass(frozen=True)
class PermutationResult:
    """An observed statistic beside its distribution under permutation; every array holds one value a quantity.

    Attributes
    ----------
    observed : the statistic, in its own unit
    null_mean, null_low, null_high : mean, 2.5 % and 97.5 % quantile under permutation
    z : observed minus null mean, over the standard deviation under permutation
    p : two-sided, by distance from the null mean; the observed labelling counts as one of the draws (Phipson & Smyth 2010)
    p_max_t : corrected over the quantities by the largest standardised distance of each draw (Westfall & Young 1993)
    draws : permutations
    reason : why a p is NaN, or ""
    """

    observed: Float[np.ndarray, " quantity"]
    null_mean: Float[np.ndarray, " quantity"]
    null_low: Float[np.ndarray, " quantity"]
    null_high: Float[np.ndarray, " quantity"]
    z: Float[np.ndarray, " quantity"]
    p: Float[np.ndarray, " quantity"]
    p_max_t: Float[np.ndarray, " quantity"]
    draws: int
    reason: tuple[str, ...]


def within_image(
    statistic: Statistic,
    values: Float[np.ndarray, "case quantity"],
    labels: Shaped[np.ndarray, " case"],
    image: Int[np.ndarray, " case"],
    stratum: Int[np.ndarray, " case"] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> PermutationResult:
    """Test of no association within images: the labels of an image's cases are as likely in any other order.

    Parameters
    ----------
    statistic : maps values and many labellings to one number a labelling and quantity; `dot` and `within_auroc` make such
    labels : what is exchanged: True and False, or numbers
    image : of each case, any integers
    stratum : labels move only inside an image and stratum, such as a range of positions; inside the whole image if None
    """
    block = _dense(image)
    if stratum is not None:
        block = _dense(block * (len(stratum) + 1) + _dense(stratum))
    by_block = np.argsort(block, kind="stable")
    home = block[by_block].astype(float)

    def order(rng: np.random.Generator, rows: int) -> Int[np.ndarray, "draw case"]:
        # a block's number plus a fraction sorts blocks into their places and their cases at random
        mixed = np.argsort(home + rng.random((rows, len(home))), axis=1)
        taken = np.empty_like(mixed)
        taken[:, by_block] = by_block[mixed]
        return taken

    return _test(statistic, values, labels, order, draws, seed)


def circular_shift(
    statistic: Statistic,
    values: Float[np.ndarray, "case quantity"],
    series: Shaped[np.ndarray, " case"],
    image: Int[np.ndarray, " case"],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> PermutationResult:
    """Test of no association between two series of a caption: `series` is turned round by a random number of steps in each image.

    Cases of an image are in the order of time. Both series keep their autocorrelation. Where both also have a trend, the shift breaks
    it and the trends alone reject: take position out of both first (a partial or a detrended statistic).

    Parameters
    ----------
    statistic : as in `within_image`
    series : what is turned round
    image : of each case, any integers
    """
    image = _dense(image)
    by_image = np.argsort(image, kind="stable")
    length = np.bincount(image)
    start = np.cumsum(length) - length
    home, place = start[image[by_image]], np.arange(len(image)) - start[image[by_image]]

    def order(rng: np.random.Generator, rows: int) -> Int[np.ndarray, "draw case"]:
        shift = (rng.random((rows, len(length))) * length).astype(np.int64)
        turned = (place + shift[:, image[by_image]]) % length[image[by_image]]
        taken = np.empty_like(turned)
        taken[:, by_image] = by_image[home + turned]
        return taken

    return _test(statistic, values, series, order, draws, seed)


def dot(values: Float[np.ndarray, "case quantity"], labels: Num[np.ndarray, "draw case"]) -> Float[np.ndarray, "draw quantity"]:
    """Statistic: sum over cases of value times label. With both from `standardised`, the mean over images of their correlation."""
    return labels @ values


def standardised(
    values: Float[np.ndarray, "case quantity"],
    image: Int[np.ndarray, " case"],
    covariate: Float[np.ndarray, " case"] | None = None,
    *,
    ranks: bool = False,
) -> Float[np.ndarray, "case quantity"]:
    """Values of each image with sum 0 and sum of squares 1 / sqrt(images), so that `dot` of two such is a mean correlation over images.

    Pearson's r of the values, or Spearman's of their `ranks`; with a covariate (also ranked then), of what is left of the values after a
    straight line in it within the image, which is the partial correlation. An image in which a column does not vary is 0 there, and
    counts as correlation 0. A permutation within images changes none of this, so standardised labels may be permuted.
    """
    found = np.zeros(values.shape)
    parts = _parts(_dense(image))
    for cases in parts:
        part, limit = _centred(values[cases], ranks)
        if covariate is not None:
            line, least = _centred(covariate[cases, None], ranks)
            squares = (line**2).sum()
            part = part - line * ((line * part).sum(axis=0) / squares if squares > least[0] ** 2 else 0.0)
        size = np.sqrt((part**2).sum(axis=0))
        found[cases] = np.where(size > limit, part / np.where(size > limit, size, 1.0), 0.0)
    return found / np.sqrt(len(parts))


def within_auroc(image: Int[np.ndarray, " case"]) -> Statistic:
    """Statistic of boolean labels: AUROC over all pairs of a positive and a negative of the same image, ties half."""
    parts = _parts(_dense(image))

    def of(values: Float[np.ndarray, "case quantity"], labels: Bool[np.ndarray, "draw case"]) -> Float[np.ndarray, "draw quantity"]:
        ranks = np.empty(values.shape)
        for cases in parts:
            ranks[cases] = rankdata(values[cases], axis=0)
        hits = np.stack([labels[:, cases].sum(axis=1, dtype=float) for cases in parts], axis=1)
        size = np.array([len(cases) for cases in parts])
        pairs, least = (hits * (size - hits)).sum(axis=1), (hits * (hits + 1) / 2).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (labels.astype(float) @ ranks - least[:, None]) / pairs[:, None]

    return of


def pooled_auroc(values: Float[np.ndarray, "case quantity"], labels: Bool[np.ndarray, "draw case"]) -> Float[np.ndarray, "draw quantity"]:
    """Statistic of boolean labels: AUROC over all pairs, whose null under a permutation within images is not centred at 0.5."""
    return within_auroc(np.zeros(len(values), dtype=np.int64))(values, labels)


def _test(statistic: Statistic, values: np.ndarray, labels: np.ndarray, order: _Order, draws: int, seed: int) -> PermutationResult:
    if draws < 1:
        raise ValueError(f"permutation.draws must be positive; got {draws}.")
    if not np.isfinite(values).all():
        raise ValueError(f"permutation.values must be finite: leave such cases out; got {(~np.isfinite(values)).sum()} that are not.")
    quantities, nothing = values.shape[1], np.full(values.shape[1], np.nan)
    if not len(values):
        observed, mean, low, high, z, p, p_max_t = (nothing.copy() for _ in range(7))
        return PermutationResult(observed, mean, low, high, z, p, p_max_t, draws, ("there are no cases",) * quantities)
    rng, rows = np.random.default_rng(seed), max(1, _CELLS // len(values))
    null = np.concatenate([statistic(values, labels[order(rng, min(rows, draws - done))]) for done in range(0, draws, rows)])
    observed = statistic(values, labels[None])[0]
    # the observed labelling is one of those that could have been: it counts in the centre, the spread and the tail
    every = np.concatenate([observed[None], null])
    with np.errstate(invalid="ignore", divide="ignore"):
        far, spread = np.abs(every - every.mean(axis=0)), every.std(axis=0)
        scaled = far / spread
        z = (observed - null.mean(axis=0)) / null.std(axis=0)
    reason = tuple(_reason(o, n) for o, n in zip(observed, null.T, strict=True))
    tested = np.array([not why for why in reason], dtype=bool)
    p, p_max_t = nothing.copy(), nothing.copy()
    p[tested] = (scaled[:, tested] >= scaled[0, tested] - _TIE).mean(axis=0)
    if tested.any():
        p_max_t[tested] = (scaled[:, tested].max(axis=1)[:, None] >= scaled[0, tested] - _TIE).mean(axis=0)
    low, high = np.quantile(null, [0.025, 0.975], axis=0)
    return PermutationResult(observed, null.mean(axis=0), low, high, np.where(tested, z, np.nan), p, p_max_t, draws, reason)


def _reason(observed: float, null: np.ndarray) -> str:
    if not np.isfinite(observed):
        return "the statistic is undefined"
    if not np.isfinite(null).all():
        return "the statistic is undefined under some permutations"
    return "no permutation changes the statistic" if np.ptp(null) <= _TIE * max(1.0, abs(observed)) else ""


def _centred(values: np.ndarray, ranks: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values or ranks less their mean, and the length below which a column holds nothing but rounding errors."""
    values = rankdata(values, axis=0) if ranks else values
    return values - values.mean(axis=0), _ROUNDING * np.abs(values).max(axis=0)


def _dense(names: np.ndarray) -> np.ndarray:
    """The same groups numbered from 0."""
    return np.unique(names, return_inverse=True)[1].reshape(-1)


def _parts(group: np.ndarray) -> list[np.ndarray]:
    """Cases of each group, in their order."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
