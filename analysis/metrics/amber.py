"""AMBER: what descriptions invent, cover and imagine, and how well yes-or-no questions about absent things are denied.

Wang et al. 2023. In the discriminative part "No" is the positive class, and an answer is right only if it is exactly "Yes" or "No";
anything else is wrong and no "No". Values are unrounded here; what the reference prints of the same counts is in
`analysis.metrics.amber_reference`.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from analysis.datasets.amber import Amber, YesNo
from analysis.metrics.amber_description import COUNTS, DescriptionRecord, score_description
from analysis.metrics.amber_nouns import nouns
from analysis.metrics.metric import Answer, Measure
from analysis.metrics.similarity import Similarity
from analysis.words.readers import Reader
from probes.command.cli import BadInput, Notice

PARTS = ("generative", "discriminative", "all")
DIMENSIONS = ("existence", "state", "number", "action", "relation")
ANSWERS = ("asked", "right", "no", "said_no", "caught")
"""Counts of a dimension: questions, right answers, questions whose truth is no, answers "No", right ones among these."""
GROUPS = {"": DIMENSIONS, "existence": ("existence",), "attribute": ("state", "number", "action")}
GROUPS |= {dimension: (dimension,) for dimension in DIMENSIONS[1:]}
"""What measures of the discriminative part are summed over; "" is all of it."""
GENERATIVE = {
    "chair": ("hallucinated", "nouns", "no description has a noun of the vocabulary"),
    "cover": ("covered", "truth", "nothing is annotated as seen"),
    "hal": ("hallucinating", "responses", "there is no description"),
    "cog": ("imagined", "hallu", "nothing is annotated as likely imagined"),
}
RATES = {
    "accuracy": ("right", "asked", "there is no such question"),
    "precision": ("caught", "said_no", 'no answer is "No"'),
    "recall": ("caught", "no", "no such question's truth is no"),
}
MEASURES = {
    "chair": Measure("CHAIR", False),
    "cover": Measure("cover", True),
    "hal": Measure("hal", False),
    "cog": Measure("cog", False),
    **{
        (name := f"{group}_{rate}" if group else rate): Measure("F1" if name == "f1" else name.replace("_", " "), True)
        for group in GROUPS
        for rate in (*RATES, "f1")
    },
    "amber_score": Measure("amber score", True),
}
UNGROUPED = (
    "AMBER's query files are not there, so that answers about one image are taken as independent and intervals are too narrow; "
    "put query/query_*.json beside annotations.json."
)
NEITHER = (
    "{count:,} of {asked:,} answers to questions are not exactly Yes or No and count as wrong, as in the reference; the first: {first!r}; "
    "ask for one word, or reduce the answers to it."
)


@dataclass(frozen=True)
class YesNoRecord:
    """What one answer to a question is worth."""

    image_id: int
    key: str
    question: YesNo
    answer: str

    @property
    def counts(self) -> tuple[int, ...]:
        """The answer's contribution to each of `ANSWERS` of its dimension."""
        negative = self.answer == "No"
        right = self.answer == "Yes" if self.question.yes else negative
        return (1, int(right), int(not self.question.yes), int(negative), int(negative and not self.question.yes))

    def as_dict(self) -> dict[str, Any]:
        """For a results file."""
        told = {"image_id": self.image_id, "key": self.key, "dimension": self.question.dimension}
        return told | {"truth": "yes" if self.question.yes else "no", "answer": self.answer, "right": bool(self.counts[1])}


@dataclass(frozen=True)
class AmberRecord:
    """A description's or an answer's record, with its place among all counts of the metric."""

    found: DescriptionRecord | YesNoRecord
    counts: tuple[int, ...]

    @property
    def image_id(self) -> int:
        """The image."""
        return self.found.image_id

    def as_dict(self) -> dict[str, Any]:
        """For a results file."""
        return self.found.as_dict()


@dataclass(frozen=True)
class AmberMetric:
    """AMBER's measures.

    Parameters
    ----------
    amber
        The benchmark's files.
    similarity
        When a noun means an annotated word; the reference's is `analysis.metrics.similarity.spacy_model()`.
    reader
        Its mode decides how nouns are found: "exact" as the reference, "bundled" without a tagger.
    part
        "generative", "discriminative" or "all": which measures there are. `part_of` chooses by the answers.
    """

    amber: Amber
    similarity: Similarity
    reader: Reader
    part: str = "all"
    name: ClassVar[str] = "amber"
    catalogue: ClassVar[Mapping[str, Measure]] = MEASURES

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise BadInput(f"AmberMetric.part must be one of {', '.join(PARTS)}; got {self.part!r}.")

    @property
    def mode(self) -> str:
        """How nouns and similar words are found."""
        return f"{self.reader.mode} words, {self.similarity.name}" if self.part != "discriminative" else "answers are exactly Yes or No"

    @property
    def counts(self) -> tuple[str, ...]:
        """Counts of descriptions, and of each dimension of questions."""
        return COUNTS + tuple(f"{dimension}_{count}" for dimension in DIMENSIONS for count in ANSWERS)

    @property
    def measures(self) -> dict[str, Measure]:
        """The measures of the chosen part."""
        if self.part == "all":
            return MEASURES
        generative = self.part == "generative"
        return {name: told for name, told in MEASURES.items() if name != "amber_score" and (name in GENERATIVE) == generative}

    @property
    def primary(self) -> tuple[str, ...]:
        """CHAIR, Cover, Hal and Cog of descriptions; F1 of questions."""
        return tuple(name for name in (*GENERATIVE, "f1") if name in self.measures)

    def records(self, answers: Sequence[Answer]) -> list[AmberRecord]:
        """One record an answer. Its key is the id of its annotation; without a key its image's number is.

        Raises
        ------
        BadInput : an id that is not annotated, not of this part, or answered twice
        """
        found, asked = [], set()
        for answer in answers:
            id = self._id(answer)
            if id in asked:
                raise BadInput(f"AMBER's {id} is answered twice; keep one answer.")
            asked.add(id)
            found.append(self._record(id, answer))
        if any(isinstance(record.found, YesNoRecord) and record.image_id == int(record.found.key) for record in found):
            warnings.warn(UNGROUPED, Notice, stacklevel=2)
        said = [record.found.answer for record in found if isinstance(record.found, YesNoRecord)]
        if neither := [answer for answer in said if answer not in ("Yes", "No")]:
            told = NEITHER.format(count=len(neither), asked=len(said), first=neither[0][:40])
            warnings.warn(told, Notice, stacklevel=2)
        return found

    def ratios(self, total: Float[np.ndarray, "*draw count"]) -> dict[str, Float[np.ndarray, "*draw"]]:
        """The measures from summed counts; NaN where a denominator is zero."""
        column = _columns(self.counts, total)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = {name: np.asarray(column[above] / column[below]) for name, (above, below, _) in GENERATIVE.items()}
            for group, dimensions in GROUPS.items():
                summed = {count: sum(column[f"{dimension}_{count}"] for dimension in dimensions) for count in ANSWERS}
                rates = {rate: np.asarray(summed[above] / summed[below]) for rate, (above, below, _) in RATES.items()}
                rates["f1"] = np.asarray(2 * rates["precision"] * rates["recall"] / (rates["precision"] + rates["recall"]))
                found |= {_named(group, rate): value for rate, value in rates.items()}
        found["amber_score"] = np.asarray((1 - found["chair"] + found["f1"]) / 2)
        return {name: found[name] for name in self.measures}

    def reasons(self, total: Float[np.ndarray, " count"]) -> dict[str, str]:
        """By measure, why it is NaN."""
        told = {name: why for name, (_, _, why) in GENERATIVE.items()}
        told |= {_named(group, rate): why for group in GROUPS for rate, (_, _, why) in RATES.items()}
        told |= {_named(group, "f1"): 'no such "No" is right' for group in GROUPS}
        told["amber_score"] = "it needs CHAIR of descriptions and F1 of questions"
        return {name: told[name] for name, value in self.ratios(total).items() if np.isnan(value)}

    def _id(self, answer: Answer) -> int:
        if not answer.key:
            return answer.image_id
        if not (answer.key.isascii() and answer.key.isdigit() and len(answer.key) <= 18):
            raise BadInput(f"the key of an answer to AMBER must be an annotation's id; got {answer.key[:40]!r}.")
        return int(answer.key)

    def _record(self, id: int, answer: Answer) -> AmberRecord:
        amber = self.amber
        image_id = amber.queries[id].image_id if id in amber.queries else answer.image_id
        rest = (0,) * len(ANSWERS)
        if id in amber.descriptions and self.part != "discriminative":
            kept = nouns(answer.text, self.reader.mode, amber.vocabulary)
            described = score_description(kept, amber.descriptions[id], amber, self.similarity, image_id, str(id))
            return AmberRecord(described, described.counts + rest * len(DIMENSIONS))
        if id in amber.questions and self.part != "generative":
            said = YesNoRecord(image_id, str(id), amber.questions[id], answer.text)
            placed = [said.counts if dimension == said.question.dimension else rest for dimension in DIMENSIONS]
            return AmberRecord(said, sum(placed, (0,) * len(COUNTS)))
        if id in amber.descriptions or id in amber.questions:
            raise BadInput(f"AMBER's {id} is not of the {self.part} part; leave it out, or score all parts.")
        raise BadInput(f"AMBER has no annotation {id}; check the ids of the answers, or give the whole annotations.json.")


def part_of(amber: Amber, answers: Sequence[Answer]) -> str:
    """The part that the answers belong to, by their ids: "generative", "discriminative" or, if both, "all"."""
    ids = {answer.key or str(answer.image_id) for answer in answers}
    described = any(str(id) in ids for id in amber.descriptions)
    asked = any(str(id) in ids for id in amber.questions)
    return "all" if described == asked else "generative" if described else "discriminative"


def _named(group: str, rate: str) -> str:
    return f"{group}_{rate}" if group else rate


def _columns(names: Sequence[str], total: Float[np.ndarray, "*draw count"]) -> dict[str, Any]:
    return dict(zip(names, np.moveaxis(np.asarray(total, dtype=float), -1, 0), strict=True))
