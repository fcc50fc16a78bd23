"""When AMBER takes two words of its vocabulary for the same thing: exact match, a table from a file, or a spaCy model's vectors.

The reference asks whether the similarity of spaCy's ``en_core_web_lg`` vectors is above 0.8. Both words are always from the closed
vocabulary, so a table of all pairs, computed once where the model is installed, gives the same numbers without it.
"""

import csv
import io
import itertools
import json
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from analysis.datasets.files import json_document
from probes.command.cli import BadInput, Notice
from probes.command.files import write_bytes
from probes.command.values import given_text

THRESHOLD = 0.8
"""Above which the reference takes two words for the same thing (cosine)."""
MODEL = "en_core_web_lg"
"""The model of the reference."""
BOUNDS = (
    "words mean the same only if they are the same, where the reference asks {model}: Cover and Cog are lower bounds, CHAIR and Hal upper "
    "ones; install spaCy and the model, or give a table by --similarity."
)


@runtime_checkable
class Similarity(Protocol):
    """Decides whether a noun of an answer means a word of the annotation.

    Attributes
    ----------
    name : how it is told apart in results
    """

    @property
    def name(self) -> str:
        """Such as "exact match" or "table pairs.csv"."""

    def __call__(self, noun: str, word: str) -> bool:
        """Whether they are taken for the same thing."""


@dataclass(frozen=True)
class ExactMatch:
    """Words mean the same if they are the same: a lower bound of Cover and Cog, and an upper bound of CHAIR and Hal."""

    @property
    def name(self) -> str:
        """ "exact match"."""
        return "exact match"

    def __call__(self, noun: str, word: str) -> bool:
        return noun == word


exact_match = ExactMatch()


@dataclass(frozen=True)
class SimilarityTable:
    """Words mean the same if a table says so, in either order; a word means itself.

    Attributes
    ----------
    pairs : each pair of different words, as a set
    """

    name: str
    pairs: frozenset[frozenset[str]] = field(repr=False)

    def __call__(self, noun: str, word: str) -> bool:
        return noun == word or frozenset((noun, word)) in self.pairs


def table(path: str | Path, threshold: float = THRESHOLD) -> SimilarityTable:
    """Similar words from a CSV or JSON file, told apart by the name's ending.

    CSV: two words a line; or a matrix, whose first line is an empty cell and the words, and each further line a word and its cells.
    JSON: a list of pairs of words; or ``{"words": [...], "matrix": [[...], ...]}``. A cell is true, false or a number, and counts if it is
    above `threshold`.

    Raises
    ------
    BadInput : no such file, or none of these forms
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        found = json_document(path)
        if isinstance(found, dict):
            pairs = _of_matrix(found.get("words"), found.get("matrix"), threshold, str(path))
        else:
            pairs = _of_pairs(found, str(path))
    else:
        rows = _rows(path)
        if rows and not rows[0][0]:
            if any(row[:1] != [word] for row, word in zip(rows[1:], rows[0][1:], strict=False)):
                raise BadInput(f"{path}: lines and columns of a matrix must have the same words in the same order.")
            pairs = _of_matrix(rows[0][1:], [[_cell(cell) for cell in row[1:]] for row in rows[1:]], threshold, str(path))
        else:
            pairs = _of_pairs(rows, str(path))
    return SimilarityTable(f"table {path.name}", pairs)


def write_table(path: str | Path, words: Iterable[str], similar: Similarity) -> None:
    """Write all pairs of similar words as JSON, for `table`: made once where a model is installed, from ``Amber.vocabulary``."""
    pairs = [pair for pair in itertools.combinations(sorted(set(words)), 2) if similar(*pair)]
    write_bytes(path, json.dumps(pairs, indent=0).encode())


@dataclass(frozen=True)
class SpacyModel:
    """Words mean the same if the cosine of a spaCy model's vectors is above a threshold."""

    name: str
    pipeline: Any = field(repr=False)
    threshold: float = THRESHOLD
    _known: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False, compare=False)
    _read: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, noun: str, word: str) -> bool:
        if (noun, word) not in self._known:
            with warnings.catch_warnings():
                # spaCy warns of words without a vector; their similarity is 0, as in the reference
                warnings.simplefilter("ignore")
                self._known[noun, word] = bool(self._doc(noun).similarity(self._doc(word)) > self.threshold)
        return self._known[noun, word]

    def _doc(self, text: str) -> Any:
        if text not in self._read:
            self._read[text] = self.pipeline(text)
        return self._read[text]


@lru_cache(maxsize=2)
def spacy_model(name: str = MODEL, threshold: float = THRESHOLD) -> SpacyModel:
    """The reference's similarity, where spaCy and the model are installed.

    Raises
    ------
    BadInput : spaCy or the model is missing
    """
    way_out = "or give the similarity as a table or as exact match"
    try:
        import spacy
    except ImportError:
        raise BadInput(f"spaCy is not installed: `pip install spacy`, {way_out}.") from None
    try:
        return SpacyModel(f"spaCy {name} > {threshold:g}", spacy.load(name), threshold)
    except OSError:
        raise BadInput(f"the spaCy model {name!r} is not installed: `python -m spacy download {name}`, {way_out}.") from None


def _rows(path: Path) -> list[list[str]]:
    try:
        text = given_text(path, "utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; check the path.") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: this is a folder, a file is needed.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: no UTF-8 (byte {error.start}); save the file as UTF-8.") from None
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise BadInput(f"{path}: no usable CSV ({error}).") from None


def _cell(cell: str) -> Any:
    try:
        return {"true": True, "false": False}.get(cell.lower()) if not cell[:1].isdigit() and cell[:1] not in "-." else float(cell)
    except ValueError:
        return None


def _of_pairs(found: Any, where: str) -> frozenset[frozenset[str]]:
    if not isinstance(found, list):
        raise BadInput(f"{where}: a list of pairs of words is needed, or an object with 'words' and 'matrix'.")
    for number, pair in enumerate(found, 1):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(word, str) and word for word in pair):
            raise BadInput(f"{where}, entry {number}: a pair of words is needed.")
    return frozenset(frozenset(pair) for pair in found if pair[0] != pair[1])


def _of_matrix(words: Any, matrix: Any, threshold: float, where: str) -> frozenset[frozenset[str]]:
    if (
        not isinstance(words, list)
        or not words
        or not all(isinstance(word, str) and word for word in words)
        or len(set(words)) < len(words)
    ):
        raise BadInput(f"{where}: a matrix needs a list of different words.")
    if not isinstance(matrix, list) or len(matrix) != len(words):
        raise BadInput(f"{where}: the matrix needs one line for each of its {len(words)} words.")
    for word, row in zip(words, matrix, strict=True):
        if not isinstance(row, list) or len(row) != len(words) or not all(_is_number(cell) for cell in row):
            raise BadInput(f"{where}: the line of {word[:40]!r} needs {len(words)} cells, each true, false or a number.")
    return frozenset(
        frozenset((words[i], words[j])) for i, row in enumerate(matrix) for j, cell in enumerate(row) if i != j and cell > threshold
    )


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and math.isfinite(cell)


def similarity(name: str) -> Similarity:
    """The similarity by its name on the command line.

    Raises
    ------
    BadInput : spaCy, its model or the table is missing
    """
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
