"""`halbench`: how many answers, and how many of the objects that they mention, are not in the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.metrics.metric import Answer
from analysis.score.coco import CocoScoring
from analysis.score.options import Prepared, same_file
from probes.command.cli import BadInput

if TYPE_CHECKING:
    from analysis.datasets.halbench import HalBenchQuestion
    from analysis.metrics.extractor import Extractor
    from analysis.words.readers import Reader

QUESTIONS = ("question", "prompt")
"""Names of what was asked, in a line of an answer."""


@dataclass(frozen=True, kw_only=True)
class HalBenchScoring(CocoScoring):
    """Object HalBench: response and mention hallucination, their correct rates, recall, F1 (ours) and words."""

    questions: Path | None = None
    """the owners' jsonl of questions: answers that name no image are those to its lines, in their order"""
    extractor: str | None = None
    """address of an OpenAI-compatible service that names the objects of answers, such as http://localhost:8000/v1; else rules do it here"""
    model: str = ""
    """the service's model; its key is read from the environment variable OPENAI_API_KEY"""
    extracted: Path | None = None
    """JSON lines of what the service answered: kept there, and not asked again; by default beside --json"""

    def __post_init__(self):
        super().__post_init__()
        if bool(self.extractor) != bool(self.model):
            raise ValueError("HalBenchScoring needs both --extractor and --model, or neither.")
        if self.extracted is not None and any(same_file(self.extracted, given) for given in (self.captions, self.against)):
            raise ValueError(f"HalBenchScoring.extracted must not be the file that is scored; got {self.extracted}.")

    @property
    def kept(self) -> Path | None:
        """What the service answered; None where none is asked, or no file named."""
        if not self.extractor:
            return None
        return self.extracted or (self.json and self.json.with_name(f"{self.json.name}.extracted.jsonl"))

    def read(self, path: Path) -> list[Answer]:
        """What the file says, in its order."""
        from analysis.datasets.files import text_of
        from analysis.datasets.image_names import file_of
        from analysis.score.answers import text_field

        return [
            Answer(image_id, text_of(item, text_field(item, where), where), file=file_of(item)) for where, item, image_id in self.said(path)
        ]

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """Object HalBench with the instances and human captions of the images that are answered."""
        from analysis.metrics.halbench import HalBench
        from analysis.metrics.halbench_words import NounReader
        from analysis.score.provenance import sha256
        from analysis.words.readers import reader

        read, held = reader(self.mode), self.annotated(answers, against)
        truth = held.truth(sorted({answer.image_id for answer in (*answers, *against)}), NounReader(read))
        data = {"annotations": held.key} | ({} if self.questions is None else {"questions": sha256([self.questions])})
        return Prepared(HalBench(truth, self.named_by(read), self.unknown, read), data)

    def said(self, path: Path) -> list[tuple[str, dict[str, Any], int]]:
        """Where each answer stands, the answer, and its image: its own, or that of the question in the same place.

        Raises
        ------
        BadInput : no image is told, and there is no --questions, or other ones
        """
        from analysis.datasets.files import json_objects
        from analysis.datasets.image_names import IMAGES, image_of

        items = list(json_objects(path))
        if self.questions is None or any(name in item for _, item in items for name in IMAGES):
            return [(where, item, image_of(item, where)) for where, item in items]
        if len(items) != len(self._asked):
            told = f"{len(items)} answers without an image, and {len(self._asked)} questions in {self.questions}"
            raise BadInput(f"{path}: {told}; the file may be cut off, or give each answer its image_id.")
        for (where, item), question in zip(items, self._asked, strict=True):
            told = str(item.get(_question_of(item), question.text))
            if question.text.strip() not in told:
                raise BadInput(f"{where}: this answers {told[:60]!r}, but {question.text[:60]!r} was asked here.")
        return [(where, item, question.image_id) for (where, item), question in zip(items, self._asked, strict=True)]

    def asked(self) -> dict[int, str]:
        """By image, the question that its answers say they answer (`question`, else `prompt`): a service is told it, as in the public code.

        Raises
        ------
        BadInput : two questions about one image
        """
        from analysis.datasets.files import text_of

        found: dict[int, str] = {}
        for where, item, image_id in (one for path in (self.captions, self.against) if path is not None for one in self.said(path)):
            name = _question_of(item)
            if name:
                text = text_of(item, name, where)
                if found.setdefault(image_id, text) != text:
                    raise BadInput(f"{where}: image {image_id} was asked another question before; score them apart.")
        return found

    def named_by(self, read: "Reader") -> "Extractor":
        """Who names the objects of answers."""
        if not self.extractor:
            from analysis.metrics.extractor import Rules

            return Rules(read)
        from analysis.metrics.extractor_openai import OpenAIExtractor

        return OpenAIExtractor(self.extractor, self.model, self.kept, self.asked())

    @cached_property
    def _asked(self) -> "list[HalBenchQuestion]":
        from analysis.datasets.halbench import read_halbench

        return read_halbench(self.questions)


def _question_of(item: dict[str, Any]) -> str:
    """The field that says what was asked; "" if there is none."""
    return next((name for name in QUESTIONS if item.get(name) is not None), "")
