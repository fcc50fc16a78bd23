"""`amber`: what descriptions invent, cover and imagine, and how well yes-or-no questions about absent things are denied."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from analysis.metrics.metric import Answer
from analysis.score.options import Mode, Prepared, Scoring


@dataclass(frozen=True, kw_only=True)
class AmberScoring(Scoring):
    """AMBER: CHAIR, Cover, Hal and Cog of descriptions; accuracy, precision, recall and F1 of yes-or-no answers."""

    annotations: Path
    """folder with AMBER's annotations.json, relation.json and safe_words.txt, and query/ where it is there"""
    similarity: str = "auto"
    """when two words mean the same: exact, spacy, spacy:<model>, a table (a CSV or JSON file), auto (spacy if installed, else exact)"""
    mode: Mode = "auto"
    """how nouns are found: exact (NLTK, as the reference), bundled (no download), auto (exact where NLTK and its data are found)"""
    part: Literal["auto", "generative", "discriminative", "all"] = "auto"
    """which measures: auto takes the part that the ids of the answers belong to"""

    def read(self, path: Path) -> list[Answer]:
        """Answers by the id of their annotation, as AMBER's owners ask for them: {"id": 1, "response": "..."}."""
        from analysis.datasets.files import json_objects, number_of, text_of
        from analysis.datasets.image_names import file_of
        from analysis.score.answers import text_field

        found = []
        for where, item in json_objects(path):
            id = number_of(item, "id" if "id" in item or "image_id" not in item else "image_id", where)
            found.append(Answer(id, text_of(item, text_field(item, where), where), str(id), file_of(item)))
        return found

    def notes(self, path: Path, answers: Sequence[Answer]) -> None:
        """Nothing: an id that is answered twice is an error here."""

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """AMBER with the measures of the part that was answered."""
        from analysis.datasets.amber import amber_files, read_amber
        from analysis.metrics.amber import AmberMetric, part_of
        from analysis.metrics.similarity import similarity
        from analysis.score.provenance import sha256
        from analysis.words.readers import reader

        amber = read_amber(self.annotations)
        part = part_of(amber, [*answers, *against]) if self.part == "auto" else self.part
        metric = AmberMetric(amber, similarity(self.similarity), reader(self.mode), part)
        table = Path(self.similarity)
        data = {"amber": amber_files(self.annotations)} | ({"similarity": [table]} if table.is_file() else {})
        return Prepared(metric, {name: sha256(files) for name, files in data.items()})
