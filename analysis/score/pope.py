"""`pope`: yes-or-no questions about the presence of an object; how often a model is right, and how often it answers yes."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from analysis.metrics.metric import Answer
from analysis.score.options import Prepared, Scoring
from probes.command.cli import Notice

if TYPE_CHECKING:
    from analysis.datasets.pope import PopeQuestion

Parser = Literal["pope", "opera", "vcd", "exact"]


@dataclass(frozen=True, kw_only=True)
class PopeScoring(Scoring):
    """POPE: accuracy, precision, recall, F1 and share of yes of answers to yes-or-no questions, a strategy and on average."""

    captions: Annotated[Path, arg(name="answers", aliases=("--captions",))]
    """JSON lines such as {"question_id": 1, "answer": "Yes."}, or a folder with one such file a strategy"""
    questions: Path
    """POPE's file of questions, or the folder with coco_pope_random.json and its two sisters"""
    strategy: Literal["random", "popular", "adversarial"] | None = None
    """of a single file of questions whose name does not tell it"""
    parser: Parser = "pope"
    """rule that reads yes or no: those of POPE, OPERA and VCD (which looks at the label), or the exact word"""
    missing: Literal["error", "leave"] = "error"
    """questions without answer: an error, or left out of the counts"""

    def files(self, path: Path) -> list[Path]:
        """The file of answers, or those of a folder."""
        from analysis.score.pope_answers import answer_files

        return answer_files(path)

    def read(self, path: Path) -> list[Answer]:
        """Answers by the key of their question."""
        from analysis.score.pope_answers import read_pope_answers

        return read_pope_answers(path, self._asked)

    def notes(self, path: Path, answers: Sequence[Answer]) -> None:
        """Tells how many questions are left out."""
        left = len(self._asked) - len(answers)
        if left and self.missing == "leave":
            warnings.warn(f"{path}: {left:,} of {len(self._asked):,} questions have no answer and are left out.", Notice, stacklevel=2)

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """POPE with all questions."""
        from analysis.datasets.pope import question_files
        from analysis.metrics.pope import Pope
        from analysis.score.provenance import sha256

        return Prepared(Pope(self._asked, self.parser, self.missing), {"questions": sha256(question_files(self.questions))})

    @cached_property
    def _asked(self) -> "list[PopeQuestion]":
        from analysis.datasets.pope import read_pope

        return read_pope(self.questions, self.strategy or "")
