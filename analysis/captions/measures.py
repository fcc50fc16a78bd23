"""What captions are compared by here: CHAIR and text quality, each a ratio of weighted sums over images."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from analysis.captions.shares import COLUMNS, table
from analysis.cells.measures import CaptionMeasure
from analysis.metrics.chair import score_caption

COUNTS = (*COLUMNS, "ended")


def _ratio(label: str, above: str, below: str, unit: str = "1") -> CaptionMeasure:
    return CaptionMeasure(label, unit, {above: 1.0}, {below: 1.0})


MEASURES = {
    "chair_s": _ratio("CHAIR_s", "hallucinating", "captions"),
    "chair_i": _ratio("CHAIR_i", "hallucinated", "mentions"),
    "recall": _ratio("recall", "recalled", "truth"),
    # 2PR / (P + R) with P = recalled / objects and R = recalled / truth
    "f1": CaptionMeasure("F1", "1", {"recalled": 2.0}, {"objects": 1.0, "truth": 1.0}),
    "repeated_4grams": _ratio("repeated 4-grams", "repeated_4grams", "4grams"),
    "looping": _ratio("looping captions", "looping", "captions"),
    "length": _ratio("words", "length", "captions", "words"),
    "ended": _ratio("ended by itself", "ended", "captions"),
}
PRIMARY = ("chair_s", "chair_i")


def weights(part: str) -> Float[np.ndarray, "count measure"]:
    """The weights of the counts in each numerator ("above") or denominator ("below")."""
    return np.array([[getattr(measure, part).get(count, 0.0) for measure in MEASURES.values()] for count in COUNTS])


def ratios(total: Float[np.ndarray, "*draw count"]) -> Float[np.ndarray, "*draw measure"]:
    """Every measure from summed counts; NaN where a denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (total @ weights("above")) / (total @ weights("below"))


def counts(captions: Sequence[str], ended: Sequence[bool], truth: Sequence[frozenset[str]]) -> Float[np.ndarray, "image count"]:
    """Each image's contribution to `COUNTS`."""
    records = [score_caption(text, there) for text, there in zip(captions, truth, strict=True)]
    return np.concatenate([table(records, captions), np.asarray(ended, dtype=float)[:, None]], 1)
