"""OPOPE: POPE's questions answered from a caption instead of by the model, by looking for the object's name in it.

Chen et al. 2024, "HALC: Object Hallucination Reduction via Adaptive Focal-Contrast Decoding"; the rule is that of its program. A
caption that leaves an object out is no denial, so recall says little here; F_beta with beta = 0.2 weighs precision instead (of the
paper: the program prints F1 only).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from analysis.datasets.pope_question import PopeQuestion
from analysis.metrics.metric import Answer, Measure
from analysis.metrics.polling import MEASURES, PolledAnswer, Polling, PollingTable, strategies_of
from probes.command.cli import BadInput

LARGEST_BETA = 1_000
"""Recall alone counts long before; the square of a float must still be one."""
MISSING = ("error", "leave")
REPEATS = ("last", "error")


@dataclass(frozen=True)
class Sighting:
    """A question and the word of the object's name that was found in the caption.

    Attributes
    ----------
    polled : the question; the prediction is yes if a word was found
    word : the first word of the name that the caption contains; "" if none
    start, end : its first characters in the caption, end exclusive; -1 if none
    """

    polled: PolledAnswer
    word: str
    start: int
    end: int

    def as_dict(self) -> dict[str, Any]:
        """What goes into a results file."""
        return self.polled.as_dict() | {"word": self.word, "start": self.start, "end": self.end}


@dataclass(frozen=True)
class OpopeRecord:
    """One caption with the questions about its image.

    Attributes
    ----------
    image_id : the image
    sightings : one a question; none where the caption does not count
    counts : of ``PollingTable.counts``, summed over the questions
    passed_over : why the caption does not count; "" where it does
    """

    image_id: int
    sightings: tuple[Sighting, ...]
    counts: tuple[int, ...]
    passed_over: str = ""

    def as_dict(self) -> dict[str, Any]:
        """What goes into a results file."""
        found = {"image_id": self.image_id, "questions": [one.as_dict() for one in self.sightings]}
        return found | ({"passed_over": self.passed_over} if self.passed_over else {})


@dataclass(frozen=True)
class Opope(Polling):
    """Accuracy, precision, recall, F1, F_beta and share of yes, a strategy and on average, from captions.

    Parameters
    ----------
    questions : built on the captioned images, as `analysis.datasets.pope.poll` does; an image without question passes its caption over
    beta : recall weighs beta times as much as precision
    repeats : which of several captions of one image counts: the "last" (as in the program), or none of them ("error")
    missing : what becomes of the questions about an image without caption: "error", or "leave" them out of the counts
    """

    questions: Sequence[PopeQuestion]
    beta: float = 0.2
    repeats: str = "last"
    missing: str = "error"

    name: ClassVar[str] = "opope"
    mode: ClassVar[str] = "substring: any word of the object's name, case-sensitive"
    catalogue: ClassVar[Mapping[str, Measure]] = MEASURES
    primary: ClassVar[tuple[str, ...]] = ("precision", "f_beta")

    def __post_init__(self):
        if not 0 < self.beta <= LARGEST_BETA:
            raise BadInput(f"Opope.beta must be a positive number, at most {LARGEST_BETA}; got {self.beta}.")
        if self.repeats not in REPEATS:
            raise BadInput(f"Opope.repeats must be one of {', '.join(REPEATS)}; got {self.repeats!r}.")
        if self.missing not in MISSING:
            raise BadInput(f"Opope.missing must be one of {', '.join(MISSING)}; got {self.missing!r}.")
        nameless = [question.key for question in self.questions if not question.object]
        if nameless:
            raise BadInput(f"Opope.questions must name their objects; {len(nameless)} do not, the first is {nameless[0]!r}.")

    @cached_property
    def _asked(self) -> dict[int, list[PopeQuestion]]:
        found: dict[int, list[PopeQuestion]] = {}
        for question in self.questions:
            found.setdefault(question.image_id, []).append(question)
        return found

    @cached_property
    def _table(self) -> PollingTable:
        return PollingTable(strategies_of(self.questions), self.beta)

    def records(self, answers: Sequence[Answer]) -> list[OpopeRecord]:
        """One record a caption, in their order; a caption that is passed over has counts of zero and says why.

        Raises
        ------
        BadInput : two captions of one image, where `repeats` is "error"; an image with questions and no caption, unless `missing` is
            "leave"
        """
        last = {answer.image_id: i for i, answer in enumerate(answers)}
        if self.repeats == "error" and len(last) < len(answers):
            again = next(answer.image_id for i, answer in enumerate(answers) if last[answer.image_id] != i)
            raise BadInput(f"image {again}: it has several captions, one is looked at; keep one, or take the last by repeats=last.")
        bare = [image_id for image_id in self._asked if image_id not in last]
        if bare and self.missing == "error":
            raise BadInput(
                f"{len(bare)} of {len(self._asked)} images with questions have no caption, the first is {bare[0]}; "
                "build the questions on the captioned images, or leave these out by missing=leave."
            )
        return [self._record(answer, last[answer.image_id] == i) for i, answer in enumerate(answers)]

    def _record(self, answer: Answer, is_last: bool) -> OpopeRecord:
        asked = self._asked.get(answer.image_id, [])
        if not asked or not is_last:
            why = "no question is asked about this image" if not asked else "a later caption of this image counts"
            return OpopeRecord(answer.image_id, (), self._table.count([]), why)
        found = tuple(sighted(answer.text, question) for question in asked)
        return OpopeRecord(answer.image_id, found, self._table.count(one.polled for one in found))


def sighted(caption: str, question: PopeQuestion) -> Sighting:
    """Yes if any word of the object's name, as between single spaces, is somewhere in the caption, upper and lower case being different.

    So "traffic light" is found in "light", "car" in "scarf", "bear" in "beard"; "dog" is not found in "Dog", nor "person" in "man".
    """
    for word in question.object.split(" "):
        start = caption.find(word)
        if start >= 0:
            return Sighting(PolledAnswer(question, "yes"), word, start, start + len(word))
    return Sighting(PolledAnswer(question, "no"), "", -1, -1)
