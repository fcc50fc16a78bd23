"""Samples whose truth is known, for checks of level and coverage."""

import numpy as np


def clustered(draw, images, effect, length=20):
    """Score, label, image, position: scores share an image effect (ICC 0.5), labels become rarer with the position, both unrelated.

    `effect` is what a positive case adds to its score, in standard deviations of the noise.
    """
    step = np.tile(np.arange(length), images)
    image = np.repeat(np.arange(images), length)
    positive = draw.random(images * length) < np.where(step < length // 2, 0.35, 0.15)
    score = draw.normal(size=images)[image] + draw.normal(size=images * length) + effect * positive
    return score, positive, image, step
