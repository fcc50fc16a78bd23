"""`halbench`: how many answers, and how many of the objects that they mention, are not in the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.metrics.metric import Answer
from analysis.score.coco import CocoScoring
from analysis.score.options import Prepared

if TYPE_CHECKING:
    from analysis.metrics.extractor import Extractor
    from analysis.metrics.readers import Reader


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

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """Object HalBench with the instances and human captions of the images that are answered."""
        from analysis.metrics.halbench import HalBench
        from analysis.metrics.halbench_words import NounReader
        from analysis.metrics.readers import reader

        read, held = reader(self.mode), self.annotated(answers, against)
        truth = held.truth(sorted({answer.image_id for answer in (*answers, *against)}), NounReader(read))
        return Prepared(HalBench(truth, self.named_by(read), self.unknown, read), {"annotations": held.key})

    def named_by(self, read: "Reader") -> "Extractor":
        """Who names the objects of answers."""
        if not self.extractor:
            from analysis.metrics.extractor import Rules

            return Rules(read)
        from analysis.metrics.extractor_openai import OpenAIExtractor

        beside = None if self.json is None else self.json.with_name(f"{self.json.name}.extracted.jsonl")
        return OpenAIExtractor(self.extractor, self.model, self.extracted or beside)
