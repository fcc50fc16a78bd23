"""Scores by image for tests that exchange two arms, where what is compared are ratios of sums over images."""

import numpy as np
from jaxtyping import Float

from analysis.stats.paired import looked_at

SMALL = 1e-9


def exchange_test(images: int, what: str = "the arms", within: str = "images") -> str:
    """The test of `exchange_scores` over so many images, as the rows of results name it."""
    return f"exchange of {what} within {within}, two-sided, {looked_at(images)}"


def exchange_scores(
    above: Float[np.ndarray, "arm *pair image measure"], below: Float[np.ndarray, "arm *pair image measure"]
) -> Float[np.ndarray, "*pair image measure"]:
    """What each image adds to the difference of two ratios: numerators less pooled ratio times denominators, first arm less second.

    The pooled ratio does not change when arms are exchanged within images, so that an exchange flips the sign of an image's score and
    does nothing else; the scores' sum has the sign of the difference of the two ratios. A sign flip of the scores is therefore an exact
    test that the arms are exchangeable, and max-T over cells applies to it.

    Parameters
    ----------
    above, below : numerators and denominators of the two arms
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = above.sum((0, -2), keepdims=True) / below.sum((0, -2), keepdims=True)
    score = above - pooled * below
    # where the parts cancel in exact arithmetic, rounding must not stand for a difference
    score[np.abs(score) < SMALL] = 0.0
    return score[0] - score[1]
