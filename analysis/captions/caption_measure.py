"""What a measure of captions is: a ratio of sums of counts over images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


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
