"""`halbench`: how many answers, and how many of the objects that they mention, are not in the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.metrics.metric import Answer
from analysis.score.coco import CocoScoring
from analysis.score.options import Prepared, same_file
from probes.cli import BadInput

if TYPE_CHECKING:
    from analysis.metrics.extractor import Extractor
    from analysis.metrics.readers import Reader

QUESTIONS = ("question", "prompt")
"""Names of what was asked, in a line of an answer."""


@dataclass(frozen=True, kw_only=True)
class HalBenchScoring(CocoScoring):
    """Object HalBench: response and mention hallucination, their correct rates, recall, F1 (ours) and words."""

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

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """Object HalBench with the instances and human captions of the images that are answered."""
        from analysis.metrics.halbench import HalBench
        from analysis.metrics.halbench_words import NounReader
        from analysis.metrics.readers import reader

        read, held = reader(self.mode), self.annotated(answers, against)
        truth = held.truth(sorted({answer.image_id for answer in (*answers, *against)}), NounReader(read))
        return Prepared(HalBench(truth, self.named_by(read), self.unknown, read), {"annotations": held.key})

    def asked(self) -> dict[int, str]:
        """By image, the question that its answers say they answer (`question`, else `prompt`): a service is told it, as in the public code.

        Raises
        ------
        BadInput : two questions about one image
        """
        from analysis.datasets.files import json_objects, text_of
        from analysis.score.answers import image_of

        found: dict[int, str] = {}
        for where, item in (said for path in (self.captions, self.against) if path is not None for said in json_objects(path)):
            name = next((name for name in QUESTIONS if item.get(name) is not None), None)
            if name is not None:
                image_id, text = image_of(item, where), text_of(item, name, where)
                if found.setdefault(image_id, text) != text:
                    raise BadInput(f"{where}: image {image_id} was asked another question before; score them apart.")
        return found

    def named_by(self, read: "Reader") -> "Extractor":
        """Who names the objects of answers."""
        if not self.extractor:
            from analysis.metrics.extractor import Rules

            return Rules(read)
        from analysis.metrics.extractor_openai import OpenAIExtractor

        beside = None if self.json is None else self.json.with_name(f"{self.json.name}.extracted.jsonl")
        return OpenAIExtractor(self.extractor, self.model, self.extracted or beside, self.asked())
