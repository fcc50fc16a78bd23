"""A metric with its ground truth, and the choice of a plan's answers that it scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.benchmark.store import AnswerLine
from analysis.metrics.metric import Answer, Metric


def of_an_image(line: AnswerLine) -> Answer:
    """A caption: an image has one, so that it needs no key."""
    return Answer(line.image_id, line.caption, file=line.file_name)


def of_a_question(line: AnswerLine) -> Answer:
    """An answer to one of several questions about an image."""
    return Answer(line.image_id, line.caption, line.key, line.file_name)


@dataclass(frozen=True)
class Evaluation:
    """What scores the answers of a plan.

    Attributes
    ----------
    metric : with the ground truth of the plan's images, made for the answers that are there
    answer : an answer from a line
    counts : whether an image's answers count at all
    is_caption : by its key, whether an answer is a free caption rather than a reply to a question
    origin : of the ground truth, for the provenance
    notes : what a reader of the table must know
    """

    metric: Metric
    answer: Callable[[AnswerLine], Answer] = of_an_image
    counts: Callable[[int], bool] = lambda image_id: True
    is_caption: Callable[[str], bool] = lambda key: True
    origin: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
