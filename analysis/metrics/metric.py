"""What every metric offers: one record an answer, unrounded counts, and the measures as ratios of summed counts.

Counts are kept apart from ratios so that images can be resampled and exchanged (`analysis.metrics.aggregate`); a metric never rounds.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from probes.command.cli import BadInput

SHARE = "1"
"""The unit of a fraction: of what is counted, or of a mean of such; any other unit is a noun, such as "words"."""

ARROWS = {True: " ↑", False: " ↓", None: ""}


@dataclass(frozen=True)
class Measure:
    """One measure of a metric: what it is called in print, which direction is better, and what it is measured in.

    Attributes
    ----------
    title : as papers print it
    higher_is_better : None where neither direction is
    unit : `SHARE` for fractions, never percent; any other is a noun
    """

    title: str
    higher_is_better: bool | None
    unit: str = SHARE

    @property
    def heading(self) -> str:
        """The title with the direction that is better."""
        return f"{self.title}{ARROWS[self.higher_is_better]}"


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes
    ----------
    image_id : the image that it was said of
    text : as decoded, nothing stripped
    key : of the question, unique in a benchmark, such as "random/17" (POPE) or "1005" (AMBER); "" where an image has one question
    file : the image's file, as whoever asked names it; "" where only its number is known. It decides nothing
    """

    image_id: int
    text: str
    key: str = ""
    file: str = field(default="", compare=False)


@runtime_checkable
class Record(Protocol):
    """What one answer is worth, unrounded."""

    @property
    def image_id(self) -> int:
        """The image; records of one image are resampled together."""

    @property
    def counts(self) -> tuple[float, ...]:
        """The answer's contribution to each of the metric's counts."""

    def as_dict(self) -> dict[str, Any]:
        """What goes into a results file: `image_id` first, mentions with their places."""


@runtime_checkable
class Metric(Protocol):
    """A benchmark's measures, made with its ground truth. What it has may be its class's or its own, and is only read."""

    @property
    def name(self) -> str:
        """As on the command line."""

    @property
    def mode(self) -> str:
        """How words were read ("exact", "bundled"), or which parser, extractor or similarity decided."""

    @property
    def counts(self) -> Sequence[str]:
        """Names of what is summed."""

    @property
    def catalogue(self) -> Mapping[str, Measure]:
        """By name, every measure that it can have, in the order of the published tables."""

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Those that it has with its options; one of a part, such as a strategy of POPE, is named behind a "/"."""

    @property
    def primary(self) -> Sequence[str]:
        """The measures that a comparison of methods tests as primary."""

    def records(self, answers: Sequence[Answer]) -> Sequence[Record]:
        """One record an answer, in their order.

        Raises
        ------
        BadInput : an answer to what was never asked, of an unknown image, or twice
        """

    def ratios(self, total: Float[np.ndarray, "*draw count"]) -> Mapping[str, Float[np.ndarray, "*draw"]]:
        """The measures from summed counts; NaN where a denominator is zero."""

    def reasons(self, total: Float[np.ndarray, " count"]) -> Mapping[str, str]:
        """By measure, why it is NaN; nothing for the others."""


def must_be_known(answers: Sequence[Answer], truth: Container[int], what: str) -> None:
    """Every answer is of an image with ground truth.

    Parameters
    ----------
    what : the answers as a user calls them, in the plural

    Raises
    ------
    BadInput : one is not; says how many, and which is the first
    """
    unknown = [answer.image_id for answer in answers if answer.image_id not in truth]
    if unknown:
        raise BadInput(
            f"{len(unknown):,} of {len(answers):,} {what} are of images without ground truth, the first of image {unknown[0]}; give the "
            f"annotations that hold them, remove these {what}, or have such images read as ones without objects, as the public code does "
            '(--unknown empty; in Python unknown="empty").'
        )


def is_share(unit: str) -> bool:
    """Whether values of this unit are fractions, which print shows in percent."""
    return unit == SHARE
