"""Curves aligned at hallucinated first mentions against true first mentions at the same position, and two nulls.

The mean over images at each step is taken off, then each caption's mean, so that what makes an image hard drops out, and a curve says how
the steps round a mention differ from the rest of their own caption. Positions are cut into strata of STRATUM tokens. In each, the mean over
all its first mentions is taken off; the difference is then the mean over hallucinated mentions minus that over true ones, weighted so that
both have the same positions.
"""

from dataclasses import dataclass

import numpy as np
import pandas
from jaxtyping import Bool, Float, Int

from analysis.onset.names import REACH, STRATUM, WINDOWS
from analysis.stats.bootstrap import Statistic, multiplicity_of_images
from analysis.stats.finite import finite_mean

DRAWS = 499
OFFSETS = np.arange(-REACH, REACH + 1)
PLACES = (*(str(offset) for offset in OFFSETS), *WINDOWS)


@dataclass(frozen=True)
class MatchedMentions:
    """First mentions of one arm with their controls: what is left of each after position.

    Attributes
    ----------
    left : "mention place", NaN outside of the caption
    absent, image : of each mention
    weight : of true mentions: hallucinated ones a true one in their stratum; 0 for mentions of strata without both kinds
    stratum : of each mention
    """

    left: Float[np.ndarray, "mention place"]
    absent: Bool[np.ndarray, " mention"]
    image: Int[np.ndarray, " mention"]
    weight: Float[np.ndarray, " mention"]
    stratum: Int[np.ndarray, " mention"]


def windows(values: Float[np.ndarray, "image step"], mentions: pandas.DataFrame) -> Float[np.ndarray, "mention place"]:
    """Values round each mention; then their means over the steps of WINDOWS."""
    step = mentions["step"].values[:, None] + OFFSETS
    inside = (step >= 0) & (step < values.shape[1])
    found = np.where(inside, values[mentions["image_index"].values[:, None], np.clip(step, 0, values.shape[1] - 1)], np.nan)
    means = [finite_mean(found[:, np.isin(OFFSETS, list(steps))], 1) for steps in WINDOWS.values()]
    return np.concatenate([found, np.stack(means, axis=1)], axis=1)


def centred(values: Float[np.ndarray, "image step"]) -> Float[np.ndarray, "image step"]:
    """Values minus the mean over images at their step, then minus their caption's mean.

    In this order: where values change along captions, the mean of a long caption differs from that of a short one, and to take off nothing
    else would show at every mention how long its caption is, and with it whatever goes with length.
    """
    values = values.astype(float) - finite_mean(values, 0)
    return values - finite_mean(values, 1)[:, None]


def matched(values: Float[np.ndarray, "image step"], mentions: pandas.DataFrame) -> MatchedMentions:
    """One quantity of one arm round its first mentions, after position."""
    absent, image = mentions["absent"].values.astype(bool), mentions["image_index"].values
    stratum = mentions["step"].values // STRATUM
    found = windows(centred(values), mentions)
    left = np.full(found.shape, np.nan)
    weight = np.zeros(len(found))
    for number in np.unique(stratum):
        own = stratum == number
        left[own] = found[own] - finite_mean(found[own], 0)
        hits = int(absent[own].sum())
        if 0 < hits < own.sum():
            weight[own & ~absent] = hits / (own.sum() - hits)
            weight[own & absent] = 1.0
    return MatchedMentions(left, absent, image, weight, stratum)


def sums(found: MatchedMentions, images: int) -> Float[np.ndarray, "part image place"]:
    """By image: sum and weight of the hallucinated mentions, sum and weight of the true ones; all that the difference needs."""
    known = np.isfinite(found.left)
    made = np.zeros((4, images, found.left.shape[1]))
    for number, side in enumerate((found.absent, ~found.absent)):
        weight = (found.weight * side)[:, None] * known
        np.add.at(made[2 * number], found.image, weight * np.where(known, found.left, 0.0))
        np.add.at(made[2 * number + 1], found.image, weight)
    return made


def difference(parts: Float[np.ndarray, "part image column"]) -> Statistic:
    """Statistic: mean over hallucinated minus mean over position-matched true mentions, of the drawn images."""

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        times = multiplicity_of_images(drawn, parts.shape[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.moveaxis((times @ parts[0]) / (times @ parts[1]) - (times @ parts[2]) / (times @ parts[3]), -1, 0)

    return of


def contributions(parts: Float[np.ndarray, "part image column"]) -> Float[np.ndarray, "image column"]:
    """What each image adds to the difference; under no difference each has mean zero, so that its sign may be flipped.

    NaN for images without a matched mention.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        made = parts[0] / parts[1].sum(axis=0) - parts[2] / parts[3].sum(axis=0)
    return np.where(parts[1] + parts[3] > 0, made, np.nan)


def permuted(found: MatchedMentions, *, seed: int = 0, draws: int = DRAWS) -> Float[np.ndarray, "draw place"]:
    """The difference for labels that are permuted within the strata of position."""
    used = found.weight > 0
    left, stratum, absent = found.left[used], found.stratum[used], found.absent[used]
    if not len(left):
        return np.full((draws, found.left.shape[1]), np.nan)
    draw = np.random.default_rng(seed)
    home = np.argsort(stratum, kind="stable")
    mixed = np.argsort(stratum[home] + draw.random((draws, len(home))), axis=1)
    labels = np.empty((draws, len(home)), dtype=np.float32)
    labels[:, home] = absent[home][mixed]
    hits = np.bincount(stratum, absent)[stratum]
    true = hits / (np.bincount(stratum)[stratum] - hits)  # the weight that a mention has when its label says true
    known = np.isfinite(left)
    value, present = np.where(known, left, 0.0).astype(np.float32), known.astype(np.float32)
    weighted = (true[:, None] * value).astype(np.float32), (true[:, None] * present).astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        upper = (labels @ value) / (labels @ present)
        lower = (weighted[0].sum(0) - labels @ weighted[0]) / (weighted[1].sum(0) - labels @ weighted[1])
        return (upper - lower).astype(float)


def simultaneous(null: Float[np.ndarray, "draw place"], level: float) -> Float[np.ndarray, " place"]:
    """Half width of the band that holds whole curves of the null at `level`, as wide at each place as the null varies there."""
    offsets = null[:, : len(OFFSETS)]
    spread = null.std(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        largest = np.nan_to_num(np.abs(offsets) / spread[: len(OFFSETS)]).max(axis=1)
    return np.quantile(largest, level) * spread
