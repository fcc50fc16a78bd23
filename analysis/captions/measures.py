"""What captions are compared by here: CHAIR and text quality, each a ratio of weighted sums over images."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from analysis.captions.caption_measure import common, of_counts, ratios_of, units_of, weights_of
from analysis.captions.shares import COLUMNS, table
from analysis.metrics.chair import score_caption
from analysis.stats.bootstrap import LEVEL, Interval, cluster_bca, multiplicity_of_images

COUNTS = (*COLUMNS, "ended")

MEASURES = {
    **common("chair_s", "chair_i", "recall", "f1"),
    "repeated_4grams": of_counts("repeated 4-grams", "1", "repeated_4grams", "4grams"),
    "looping": of_counts("looping captions", "1", "looping", "captions"),
    "length": of_counts("words", "words", "length", "captions"),
    "ended": of_counts("ended by itself", "1", "ended", "captions"),
}
UNITS = units_of(MEASURES)
PRIMARY = ("chair_s", "chair_i")


def weights(part: str) -> Float[np.ndarray, "count measure"]:
    """The weights of the counts in each numerator ("above") or denominator ("below")."""
    return weights_of(part, COUNTS, MEASURES)


def ratios(total: Float[np.ndarray, "*draw count"]) -> Float[np.ndarray, "*draw measure"]:
    """`ratios_of` the measures here."""
    return ratios_of(total, COUNTS, MEASURES)


def counts(captions: Sequence[str], ended: Sequence[bool], truth: Sequence[frozenset[str]]) -> Float[np.ndarray, "image count"]:
    """Each image's contribution to `COUNTS`."""
    records = [score_caption(text, there) for text, there in zip(captions, truth, strict=True)]
    return np.concatenate([table(records, captions), np.asarray(ended, dtype=float)[:, None]], 1)


def changes(total: Float[np.ndarray, "*draw arm count"]) -> Float[np.ndarray, "*draw change measure"]:
    """Every measure of each arm behind the first, less that of the first."""
    found = ratios(total)
    return found[..., 1:, :] - found[..., :1, :]


def interval_of(
    counts: Float[np.ndarray, "*arm image count"], of: Callable[[np.ndarray], np.ndarray], seed: int = 0, level: float = LEVEL
) -> Interval:
    """Interval of values of summed counts, all of them flat; images are drawn for all arms together.

    Parameters
    ----------
    of : from sums "*draw *arm count" to values "*draw ..."
    """
    images, whole = counts.shape[-2], np.moveaxis(counts, -2, 0)
    flat = whole.reshape(images, -1)

    def statistic(drawn: np.ndarray) -> np.ndarray:
        total = multiplicity_of_images(drawn, images) @ flat
        values = of(total.reshape(*total.shape[:-1], *whole.shape[1:]))
        return np.moveaxis(values.reshape(*total.shape[:-1], -1), -1, 0)

    return cluster_bca(statistic, images, level=level, seed=seed)
