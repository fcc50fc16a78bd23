"""Options that every benchmark's scoring has, and what it must be able to do."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from analysis.metrics.metric import Answer, Metric
from probes.options import check_level, check_seed


@dataclass(frozen=True)
class Prepared:
    """A metric with its ground truth, and of which data that was made (for the provenance)."""

    metric: Metric
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scoring(ABC):
    """What is scored, and where the results go."""

    captions: Path
    """JSON lines (or a JSON list) of what a model said, such as {"image_id": 1, "caption": "..."}"""
    against: Path | None = None
    """captions of another model or setting on the same images: paired differences to them are tested"""
    json: Path | None = None
    """results file; the table is printed with or without it"""
    level: float = 0.95
    """coverage of the intervals, in (0, 1)"""
    seed: int = 0
    """of bootstrap and permutations; in opope of the questions too"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        check_level(self)
        check_seed(self)
        if self.json is not None and not self.json.is_dir():
            for name in (field.name for field in fields(self) if field.name != "json"):
                if same_file(self.json, getattr(self, name)):
                    raise ValueError(f"{type(self).__name__}.json must not be the file that is scored or read (--{name}); got {self.json}.")

    @property
    def kept(self) -> Path | None:
        """The file that keeps what was asked of others before the end; None where there is none."""
        return None

    def files(self, path: Path) -> list[Path]:
        """The files that are read of --captions or --against, for the provenance."""
        return [path]

    def read(self, path: Path) -> list[Answer]:
        """What the file says, in its order."""
        from analysis.score.answers import read_answers

        return read_answers(path)

    def notes(self, path: Path, answers: Sequence[Answer]) -> None:
        """Tells, as a `Notice`, what a reader must know of the file."""
        from analysis.score.answers import tell_of_repeats

        tell_of_repeats(path, answers)

    @abstractmethod
    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """The metric with the ground truth of these answers.

        Raises
        ------
        BadInput : the benchmark's files cannot be used, or an answer is to what they do not ask
        """


def same_file(path: Path, other: Any) -> bool:
    """Whether both are paths of one file, links followed."""
    return isinstance(other, Path) and os.path.realpath(path) == os.path.realpath(other)


Unknown = Literal["error", "empty"]
"""An image that is not in the set: an error, or one without any object, as the reference takes it."""
Mode = Literal["auto", "exact", "bundled"]
"""How words are read: with NLTK as the reference, with the bundled table, or the former where NLTK's data are found."""
