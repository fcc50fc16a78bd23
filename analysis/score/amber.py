"""`amber`: what descriptions invent, cover and imagine, and how well yes-or-no questions about absent things are denied."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from analysis.metrics.metric import Answer
from analysis.score.options import Mode, Prepared, Scoring
from probes.cli import BadInput, Notice

if TYPE_CHECKING:
    from analysis.metrics.similarity import Similarity

BOUNDS = (
    "words mean the same only if they are the same, where the reference asks {model}: Cover and Cog are lower bounds, CHAIR and Hal upper "
    "ones; install spaCy and the model, or give a table by --similarity."
)


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
        from analysis.score.answers import text_field

        found = []
        for where, item in json_objects(path):
            id = number_of(item, "id" if "id" in item or "image_id" not in item else "image_id", where)
            found.append(Answer(id, text_of(item, text_field(item, where), where), str(id)))
        return found

    def notes(self, path: Path, answers: Sequence[Answer]) -> None:
        """Nothing: an id that is answered twice is an error here."""

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """AMBER with the measures of the part that was answered."""
        from analysis.datasets.amber import amber_files, read_amber
        from analysis.metrics.amber import AmberMetric, part_of
        from analysis.metrics.readers import reader
        from analysis.score.provenance import sha256

        amber = read_amber(self.annotations)
        part = part_of(amber, [*answers, *against]) if self.part == "auto" else self.part
        metric = AmberMetric(amber, similarity(self.similarity), reader(self.mode), part)
        table = Path(self.similarity)
        data = {"amber": amber_files(self.annotations)} | ({"similarity": [table]} if table.is_file() else {})
        return Prepared(metric, {name: sha256(files) for name, files in data.items()})


def similarity(name: str) -> "Similarity":
    """The similarity by its name on the command line.

    Raises
    ------
    BadInput : spaCy, its model or the table is missing
    """
    from analysis.metrics.similarity import MODEL, exact_match, spacy_model, table

    if name == "exact":
        return exact_match
    if name == "spacy" or name.startswith("spacy:"):
        return spacy_model(name.partition(":")[2] or MODEL)
    if name != "auto":
        return table(name)
    try:
        return spacy_model(MODEL)
    except BadInput:
        warnings.warn(BOUNDS.format(model=MODEL), Notice, stacklevel=2)
    return exact_match
