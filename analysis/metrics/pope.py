"""POPE: yes-or-no questions about the presence of an object; how often a model is right, and how often it answers yes.

Li et al. 2023, "Evaluating Object Hallucination in Large Vision-Language Models". Yes is the positive answer. What is a yes depends on
the parser (`analysis.metrics.parsers`); the averages over the strategies are means (`analysis.metrics.polling`).
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from analysis.datasets.pope_question import PopeQuestion
from analysis.metrics.metric import Answer, Measure
from analysis.metrics.parsers import MODES, PARSERS, TAKEN, says_neither
from analysis.metrics.polling import MEASURES, PolledAnswer, Polling, PollingTable, strategies_of
from probes.command.cli import BadInput, Notice

MISSING = ("error", "leave")


@dataclass(frozen=True)
class PopeRecord:
    """One answer, as it was read.

    Attributes
    ----------
    image_id : the image asked about
    polled : the question and what was read as its answer
    counts : one of ``PollingTable.counts`` is 1, the others are 0
    """

    image_id: int
    polled: PolledAnswer
    counts: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """What goes into a results file."""
        return {"image_id": self.image_id} | self.polled.as_dict()


@dataclass(frozen=True)
class Pope(Polling):
    """Accuracy, precision, recall, F1 and share of yes, a strategy and on average.

    Parameters
    ----------
    questions : all that were to be asked, of one strategy or several; an answer belongs to a question by its key
    parser : rule that reads an answer, a name of ``analysis.metrics.parsers.PARSERS``
    missing : what becomes of a question without answer: "error", or "leave" it out of the counts
    """

    questions: Sequence[PopeQuestion]
    parser: str = "pope"
    missing: str = "error"

    name: ClassVar[str] = "pope"
    catalogue: ClassVar[Mapping[str, Measure]] = {name: measure for name, measure in MEASURES.items() if name != "f_beta"}
    primary: ClassVar[tuple[str, ...]] = ("accuracy", "f1")

    def __post_init__(self):
        if self.parser not in PARSERS:
            raise BadInput(f"Pope.parser must be one of {', '.join(PARSERS)}; got {self.parser!r}.")
        if self.missing not in MISSING:
            raise BadInput(f"Pope.missing must be one of {', '.join(MISSING)}; got {self.missing!r}.")
        if len(self._asked) != len(self.questions):
            raise BadInput(f"Pope.questions must have keys of their own; got {len(self._asked)} keys of {len(self.questions)} questions.")

    @cached_property
    def _asked(self) -> dict[str, PopeQuestion]:
        return {question.key: question for question in self.questions}

    @cached_property
    def _table(self) -> PollingTable:
        return PollingTable(strategies_of(self.questions))

    @property
    def mode(self) -> str:
        """Which rule read the answers, and whether it looked at the label."""
        return MODES[self.parser]

    def records(self, answers: Sequence[Answer]) -> list[PopeRecord]:
        """One record an answer, in their order.

        Raises
        ------
        BadInput : an answer to what was not asked, or twice to one question, or of another image than the question; a question
            without answer, unless `missing` is "leave"; answers of which none says yes or no
        """
        read, found = PARSERS[self.parser], {}
        for answer in answers:
            asked = self._asked.get(answer.key)
            if asked is None:
                raise BadInput(f"answer {answer.key!r}: no question has this key; keys are such as {self._example}.")
            if answer.key in found:
                raise BadInput(f"answer {answer.key!r}: this question is answered twice; remove one of the two.")
            if answer.image_id != asked.image_id:
                raise BadInput(f"answer {answer.key!r}: it is of image {answer.image_id}, the question of image {asked.image_id}.")
            polled = PolledAnswer(asked, read(answer.text, asked.label))
            found[answer.key] = PopeRecord(asked.image_id, polled, self._table.count([polled]))
        self._complete(found)
        self._tell_of_neither(answers, list(found.values()))
        return list(found.values())

    def _tell_of_neither(self, answers: Sequence[Answer], records: Sequence[PopeRecord]) -> None:
        silent = [answer.text for answer in answers if says_neither(answer.text)]
        if silent and len(silent) == len(answers):
            told = f"none of the {len(answers):,} answers says yes or no, so that there is nothing to score"
            raise BadInput(f"{told}; the first: {silent[0][:60]!r}; ask for one of the two words.")
        # the one rule that wants the bare word leaves more of them unread
        unread = [answer.text for answer, one in zip(answers, records, strict=True) if not one.polled.prediction]
        if neither := unread or silent:
            share = f"{len(neither):,} of {len(answers):,} answers ({100 * len(neither) / len(answers):.1f} %)"
            told = f"{share} are neither yes nor no and taken for {TAKEN[self.parser]} (rule {self.parser})"
            warnings.warn(f"{told}; the first: {neither[0][:60]!r}.", Notice, stacklevel=3)

    @property
    def _example(self) -> str:
        return repr(self.questions[0].key) if self.questions else "'random/1'"

    def _complete(self, found: Mapping[str, PopeRecord]) -> None:
        open_keys = [key for key in self._asked if key not in found]
        if open_keys and self.missing == "error":
            raise BadInput(
                f"{len(open_keys)} of {len(self._asked)} questions have no answer, the first is {open_keys[0]!r}; "
                "answer them, or leave them out by missing=leave."
            )
