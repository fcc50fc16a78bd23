"""Samples with what real captions have: tokens of an image that resemble each other, neighbours that do so more, images that differ."""

import numpy as np
from jaxtyping import Bool, Float, Int

from analysis.stats.lifetable import CENSORED, END, EVENT


def tokens(rng: np.random.Generator, images: int, length: int) -> Float[np.ndarray, "image token"]:
    """Mean 0; an image's effect is half of the variance (intraclass correlation 0.5)."""
    return rng.normal(size=(images, 1)) + rng.normal(size=(images, length))


def autoregressive(rng: np.random.Generator, images: int, steps: int, rho: float) -> Float[np.ndarray, "image step"]:
    """Stationary AR(1) series of variance 1 with coefficient `rho`, without a trend."""
    series = rng.normal(size=(images, steps))
    for step in range(1, steps):
        series[:, step] = rho * series[:, step - 1] + np.sqrt(1 - rho**2) * series[:, step]
    return series


def labelled(
    rng: np.random.Generator, images: int, effect: float, length: int = 20
) -> tuple[Float[np.ndarray, " case"], Bool[np.ndarray, " case"], Int[np.ndarray, " case"], Int[np.ndarray, " case"]]:
    """Score, label, image and position; a positive adds `effect` to its score, and labels become rarer half-way through.

    The score's noise and its image's effect have variance 1 each, so pooled AUROC is Phi(effect / 2) and within images
    Phi(effect / sqrt(2)).
    """
    position, image = np.tile(np.arange(length), images), np.repeat(np.arange(images), length)
    positive = rng.random(images * length) < np.where(position < length // 2, 0.35, 0.15)
    score = rng.normal(size=images)[image] + rng.normal(size=images * length) + effect * positive
    return score, positive, image, position


def mentions(rng: np.random.Generator, proneness: Float[np.ndarray, " image"], rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Hallucinated and all mentions "image 1" of an arm; each image errs `proneness` times as often as `rate`, whose mean it is."""
    every = 1 + rng.poisson(6, len(proneness))
    wrong = rng.binomial(every, np.clip(rate * proneness, 0, 1))
    return wrong[:, None].astype(float), every[:, None].astype(float)


def proneness(rng: np.random.Generator, images: int) -> Float[np.ndarray, " image"]:
    """How prone an image is to errors, over the mean: between 0.25 and 1.75."""
    return rng.uniform(0.25, 1.75, images)


def captions(rng: np.random.Generator, images: int, most: int = 15) -> tuple[Int[np.ndarray, "image arm"], Int[np.ndarray, "image arm"]]:
    """Time and kind of the first error or end of two arms with the same hazard; an image's proneness is shared by its arms."""
    chance = np.clip(0.12 * np.exp(rng.normal(size=images) - 0.5), 0, 0.9)[:, None]
    event, end = rng.geometric(np.broadcast_to(chance, (images, 2))), rng.geometric(0.15, size=(images, 2))
    time = np.minimum(np.minimum(event, end), most)
    return time, np.where(time == event, EVENT, np.where(time == end, END, CENSORED))
