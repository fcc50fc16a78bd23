"""Entropy and ranks of a caption as series whose product, summed over steps, is a correlation.

A series may be an object's, or the mean over a set's objects: correlations of one entropy with several objects are linear in theirs. Before
they are said, objects have ranges of their own, so that entropy is ranked anew for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from analysis.coupling.names import RANKED

_ROUNDING = 1e-10  # of a group's length: what may be left of a column that does not vary


@dataclass(frozen=True)
class Series:
    """Cases in the order of group and step; x and y are scaled so that the sum of x y over a group is its coefficient.

    Attributes
    ----------
    x : entropy by place (layers, then the mean of the smoothed ones)
    y : of the set's objects together, or of one object
    start : first case of each group
    image : index of each group's image; several groups of one image are several objects, and their mean is the image's
    """

    x: Float[np.ndarray, "case place"]
    y: Float[np.ndarray, " case"]
    start: Int[np.ndarray, " group"]
    image: Int[np.ndarray, " group"]

    def by_image(self, images: int) -> Float[np.ndarray, "image place"]:
        """Coefficient of each image; NaN for an image without a group."""
        if not len(self.start):
            return np.full((images, self.x.shape[1]), np.nan)
        return self.mean_of_groups(np.add.reduceat(self.x * self.y[:, None], self.start, axis=0), images)

    def permuted(self, images: int) -> Float[np.ndarray, "image place"]:
        """Mean of the coefficient over all orders of a group's steps: product of the sums over the number of steps."""
        if not len(self.start):
            return np.full((images, self.x.shape[1]), np.nan)
        length = np.diff([*self.start, len(self.y)])
        sums = np.add.reduceat(self.x, self.start, axis=0) * np.add.reduceat(self.y, self.start)[:, None]
        return self.mean_of_groups(sums / length[:, None], images)

    def mean_of_groups(self, values: Float[np.ndarray, "group place"], images: int) -> Float[np.ndarray, "image place"]:
        """Mean over the groups of each image."""
        count = np.bincount(self.image, minlength=images)
        total = np.stack([np.bincount(self.image, weights=column, minlength=images) for column in values.T], axis=1)
        return total / np.where(count > 0, count, np.nan)[:, None]


def every_step(
    entropy: Float[np.ndarray, "image step place"],
    rank: Float[np.ndarray, "image step object"],
    alive: Bool[np.ndarray, "image step"],
    sets: Mapping[str, Bool[np.ndarray, "image object"]],
    kind: str,
) -> dict[str, Series]:
    """By set of objects, one group an image: y is the mean over the image's objects of the set."""
    image, step = np.nonzero(alive)
    places = entropy.shape[2]
    both = _scaled(np.concatenate([entropy[image, step], rank[image, step]], axis=1), image, kind)
    x, by_object = both[:, :places], both[:, places:]
    found = {}
    for name, inside in sets.items():
        has = np.asarray(inside.any(axis=1))[image]
        weight = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)
        own, start = np.unique(image[has], return_index=True)
        found[name] = Series(x[has], (by_object[has] * weight[image[has]]).sum(axis=1), start, own)
    return found


def until_said(
    entropy: Float[np.ndarray, "image step place"],
    rank: Float[np.ndarray, "image step object"],
    alive: Bool[np.ndarray, "image step"],
    inside: Bool[np.ndarray, "image step object"],
    kind: str,
    min_steps: int,
) -> Series:
    """One group an image and object of a set, over the steps at which `inside` holds; objects with fewer than `min_steps` are left out."""
    used = (inside & alive[:, :, None]).transpose(0, 2, 1)
    used &= (used.sum(axis=2) >= min_steps)[:, :, None]
    image, thing, step = np.nonzero(used)
    group = image * used.shape[1] + thing
    both = _scaled(np.concatenate([entropy[image, step], rank[image, step, thing][:, None]], axis=1), group, kind)
    own, start = np.unique(group, return_index=True)
    return Series(both[:, :-1], both[:, -1], start, own // used.shape[1])


def without_profile(
    values: Float[np.ndarray, "image step column"], used: Bool[np.ndarray, "image step column"]
) -> Float[np.ndarray, "image step column"]:
    """Values less the mean over images and columns in use at the same step: what position alone gives every caption is gone."""
    filled = np.where(used, values, 0.0)
    mean = filled.sum(axis=(0, 2)) / np.maximum(used.sum(axis=(0, 2)), 1)
    return values - mean[None, :, None]


def _scaled(values: Float[np.ndarray, "case column"], group: Int[np.ndarray, " case"], kind: str) -> Float[np.ndarray, "case column"]:
    """Columns scaled so that the sum over a group of the product of two is their cosine, Spearman's rho or its partial form given the step.

    Steps of a group follow each other without a gap, so their ranks are their places. A column that does not vary in a group is 0 there.
    `analysis.stats.permutation.standardised` does the same group by group; here groups are thousands of objects, and go all at once.
    """
    if not len(values):
        return values
    start, index = np.unique(group, return_index=True, return_inverse=True)[1:]
    length = np.diff([*start, len(values)])
    place = np.arange(len(values)) - start[index]
    if kind in RANKED:
        values = _ranks(values, index, place) - (length[index, None] + 1) / 2
        if kind != "plain":
            line = place - (length[index] - 1) / 2
            slope = np.add.reduceat(line[:, None] * values, start, axis=0) / np.maximum(np.add.reduceat(line**2, start), 1)[:, None]
            values = values - line[:, None] * slope[index]
    size = np.sqrt(np.add.reduceat(values**2, start, axis=0))
    size = np.where(size > _ROUNDING * length[:, None], size, np.inf)
    return values / size[index]


def _ranks(
    values: Float[np.ndarray, "case column"], index: Int[np.ndarray, " case"], place: Int[np.ndarray, " case"]
) -> Float[np.ndarray, "case column"]:
    """Ranks within groups, ties shared; shorter groups are filled up at the top, where it moves no rank."""
    padded = np.full((int(index[-1]) + 1, int(place.max()) + 1, values.shape[1]), np.inf)
    padded[index, place] = values
    return rankdata(padded, axis=1)[index, place]
