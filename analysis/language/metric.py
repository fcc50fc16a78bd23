"""Fluency as a metric: NLL and broken captions, with intervals and paired tests as the measures of a benchmark have them.

It is made with what a language model found of the texts, and stands beside the metric of a benchmark whose captions these are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from analysis.language.limits import broken
from analysis.metrics.metric import Answer, Measure

NLL_UNIT = "nat a token"
COUNTS = ("captions", "read", "nll", "broken")
"""Captions, those of two tokens or more, the sum of their NLL, and the broken ones of all."""
RATIOS = {"nll": ("nll", "read", "no caption has two tokens"), "broken": ("broken", "captions", "there is no caption")}
MEASURES = {"nll": Measure("NLL", None, NLL_UNIT), "broken": Measure("broken", False)}
"""NLL has no better side: a loop is cheap, and so are captions that say next to nothing."""


@dataclass(frozen=True)
class FluencyRecord:
    """What one caption is to a language model that never saw the image.

    Attributes
    ----------
    image_id : of the image
    nll : mean over its tokens but the first, nat a token; NaN where there are fewer than two
    broken : whether it loops, or is improbable
    """

    image_id: int
    nll: float
    broken: bool

    @property
    def counts(self) -> tuple[float, ...]:
        """The caption's contribution to each of `COUNTS`."""
        read = math.isfinite(self.nll)
        return (1.0, float(read), self.nll if read else 0.0, float(self.broken))

    def as_dict(self) -> dict[str, Any]:
        """For a results file."""
        return vars(self).copy()


@dataclass(frozen=True)
class Fluency:
    """NLL and broken captions.

    Parameters
    ----------
    name : of the benchmark whose captions these are
    nll : by text, its mean NLL, nat a token; NaN of a text of fewer than two tokens
    above : the NLL above which a caption is improbable (`analysis.language.limits.limit`)
    mode : the language model
    """

    name: str
    nll: Mapping[str, float]
    above: float
    mode: str = ""

    counts: ClassVar[Sequence[str]] = COUNTS
    catalogue: ClassVar[Mapping[str, Measure]] = MEASURES
    measures: ClassVar[Mapping[str, Measure]] = MEASURES
    primary: ClassVar[Sequence[str]] = ()

    def records(self, answers: Sequence[Answer]) -> list[FluencyRecord]:
        """One record a caption, in their order; each was read."""
        texts = [answer.text for answer in answers]
        nll = np.array([self.nll[text] for text in texts], dtype=float)
        found = zip(answers, nll.tolist(), broken(texts, nll, self.above).tolist(), strict=True)
        return [FluencyRecord(answer.image_id, value, bad) for answer, value, bad in found]

    def ratios(self, total: Float[np.ndarray, "*draw count"]) -> dict[str, Float[np.ndarray, "*draw"]]:
        """The measures from summed counts; NaN where a denominator is zero."""
        column = dict(zip(COUNTS, np.moveaxis(np.asarray(total, dtype=float), -1, 0), strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            return {name: np.asarray(column[above] / column[below]) for name, (above, below, _) in RATIOS.items()}

    def reasons(self, total: Float[np.ndarray, " count"]) -> dict[str, str]:
        """By measure, why it is NaN."""
        return {name: RATIOS[name][2] for name, value in self.ratios(total).items() if np.isnan(value)}
