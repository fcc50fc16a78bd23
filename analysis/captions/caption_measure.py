"""What a measure of captions is: a ratio of sums of counts over images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.metrics.text_quality import TEXT_MEASURES, TEXT_RATIOS


@dataclass(frozen=True)
class CaptionMeasure:
    """A ratio of sums.

    Parameters
    ----------
    label, unit : as figures and tables call it
    above, below : weights of the counts in numerator and denominator
    tested : whether arms are compared by it; what the smoothing itself sets is described only
    higher_is_better : None where neither direction is
    """

    label: str
    unit: str
    above: Mapping[str, float]
    below: Mapping[str, float]
    tested: bool = True
    higher_is_better: bool | None = None


def of_counts(label: str, unit: str, above: str, below: str, tested: bool = True, higher_is_better: bool | None = None) -> CaptionMeasure:
    """The sum of one count over the sum of another."""
    return CaptionMeasure(label, unit, {above: 1.0}, {below: 1.0}, tested, higher_is_better)


COMMON = {
    "chair_s": of_counts("CHAIR_s", "1", "hallucinating", "captions", higher_is_better=False),
    "chair_i": of_counts("CHAIR_i", "1", "hallucinated", "mentions", higher_is_better=False),
    "recall": of_counts("recall", "1", "recalled", "truth", higher_is_better=True),
    "precision": of_counts("precision", "1", "recalled", "objects", higher_is_better=True),
    # 2PR / (P + R) with P = recalled / objects and R = recalled / truth
    "f1": CaptionMeasure("F1", "1", {"recalled": 2.0}, {"objects": 1.0, "truth": 1.0}, higher_is_better=True),
    "hazard": of_counts("hazard of the first hallucination", "1 a mention", "hallucinating", "at_risk", higher_is_better=False),
    "mentions": of_counts("mentions", "1 a caption", "mentions", "captions"),
    "objects": of_counts("objects named", "1 a caption", "objects", "captions"),
}
"""Measures that several questions share, of counts that are called alike in all."""
TEXT = {
    name: of_counts(TEXT_MEASURES[name].title, "1", above, below, higher_is_better=TEXT_MEASURES[name].higher_is_better)
    for name, (above, below, _) in TEXT_RATIOS.items()
}
"""Text quality, as `analysis.metrics` has it."""


def common(*names: str) -> dict[str, CaptionMeasure]:
    """Some of `COMMON`, in this order."""
    return {name: COMMON[name] for name in names}


def ratios_of(
    total: Float[np.ndarray, "*draw count"], counts: Sequence[str], measures: Mapping[str, CaptionMeasure]
) -> Float[np.ndarray, "*draw measure"]:
    """Every measure from summed counts, in their order; NaN where a denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (total @ weights_of("above", counts, measures)) / (total @ weights_of("below", counts, measures))


def units_of(measures: Mapping[str, CaptionMeasure]) -> dict[str, str]:
    """The unit of each measure, by name."""
    return {name: measure.unit for name, measure in measures.items()}


def weights_of(part: str, counts: Sequence[str], measures: Mapping[str, CaptionMeasure]) -> Float[np.ndarray, "count measure"]:
    """The weights of the counts in each measure's numerator ("above") or denominator ("below")."""
    return np.array([[getattr(measure, part).get(count, 0.0) for measure in measures.values()] for count in counts])
