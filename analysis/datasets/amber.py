"""AMBER as its owners distribute it: what people saw in 1,004 images, 14,216 yes-or-no questions, a closed vocabulary, queries.

Wang et al. 2023, "AMBER: An LLM-free Multi-dimensional Benchmark for MLLMs Hallucination Evaluation". Read from the repository's folder
or from its folder ``data``: ``annotations.json``, ``relation.json``, ``safe_words.txt``, and ``query/query_*.json`` where they are there.
``metrics.txt`` (counters from 0, denominators from 0.001) is not read: ``analysis.metrics.amber_reference`` has its values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.datasets.files import image_inside, json_document, number_of, text_of
from probes.command.cli import BadInput

DIMENSIONS = {
    "discriminative-hallucination": "existence",
    "discriminative-attribute-state": "state",
    "discriminative-attribute-number": "number",
    "discriminative-attribute-action": "action",
    "discriminative-relation": "relation",
    "relation": "relation",
}
"""The type of a question in ``annotations.json``, and the dimension that it counts in."""
IMAGE = re.compile(r"AMBER_(\d{1,9})\.\w+")


@dataclass(frozen=True)
class Description:
    """What people saw in an image (`truth`, in file order, repeats kept), and what a model may well imagine there (`hallu`)."""

    truth: tuple[str, ...]
    hallu: tuple[str, ...]


@dataclass(frozen=True)
class YesNo:
    """A question's dimension (a value of `DIMENSIONS`) and whether yes is its true answer."""

    dimension: str
    yes: bool


@dataclass(frozen=True)
class AmberQuery:
    """What is asked: the id of its annotation, the image's number and file name, and the prompt."""

    id: int
    image_id: int
    image: str
    text: str


@dataclass(frozen=True)
class Amber:
    """The benchmark.

    Attributes
    ----------
    descriptions : by id, of the generative part
    questions : by id, of the discriminative part
    associations : by word, the words that stand for it as well (one way only)
    safe_words : words that are never counted as hallucinated
    queries : by id; empty where the query files are not there
    """

    descriptions: Mapping[int, Description]
    questions: Mapping[int, YesNo]
    associations: Mapping[str, tuple[str, ...]]
    safe_words: frozenset[str]
    queries: Mapping[int, AmberQuery] = field(default_factory=dict)

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every word that counts as an object."""
        return frozenset(self.associations).union(*self.associations.values())


def read_amber(folder: str | Path) -> Amber:
    """The benchmark from its owners' files.

    Raises
    ------
    BadInput : a file is missing or is not as its owners distribute it
    """
    folder = _data(folder)
    associations = _associations(folder / "relation.json")
    descriptions, questions = _annotations(folder / "annotations.json", associations)
    queries = _queries(folder, descriptions.keys() | questions.keys())
    return Amber(descriptions, questions, associations, _safe_words(folder / "safe_words.txt"), queries)


def amber_files(folder: str | Path) -> list[Path]:
    """The files that `read_amber` reads."""
    folder = _data(folder)
    return [folder / "annotations.json", folder / "relation.json", folder / "safe_words.txt", *_query_files(folder)]


def _data(folder: str | Path) -> Path:
    folder = Path(folder)
    return folder / "data" if not (folder / "annotations.json").exists() and (folder / "data" / "annotations.json").exists() else folder


def _query_files(folder: Path) -> list[Path]:
    return sorted((folder / "query").glob("query_*.json"))


def image_path(folder: str | Path, query: AmberQuery) -> Path:
    """Where a query's image is, in the folder of AMBER's images.

    Raises
    ------
    BadInput : the name leads out of the folder, or there is no such file
    """
    return image_inside(folder, query.image, "give the folder of AMBER_1.jpg and the others")


def _associations(path: Path) -> dict[str, tuple[str, ...]]:
    found = json_document(path)
    if not isinstance(found, dict) or not found:
        raise BadInput(f"{path}: an object of words and their associated words is needed; is this AMBER's relation.json?")
    return {word: _words(found, word, str(path)) for word in found}


def _annotations(path: Path, associations: Mapping[str, tuple[str, ...]]) -> tuple[dict[int, Description], dict[int, YesNo]]:
    descriptions: dict[int, Description] = {}
    questions: dict[int, YesNo] = {}
    for where, found in _items(path):
        id = number_of(found, "id", where)
        if id in descriptions or id in questions:
            raise BadInput(f"{where}: the id {id} was there before; every annotation needs its own.")
        kind = text_of(found, "type", where)
        if kind == "generative":
            descriptions[id] = Description(_words(found, "truth", where), _words(found, "hallu", where))
            for word in (*descriptions[id].truth, *descriptions[id].hallu):
                if word not in associations:
                    raise BadInput(f"{where}: {word[:40]!r} is not in relation.json; take both from the same release.")
        elif kind in DIMENSIONS:
            truth = text_of(found, "truth", where)
            if truth not in ("yes", "no"):
                raise BadInput(f"{where}: 'truth' of a question must be 'yes' or 'no'; got {truth[:40]!r}.")
            questions[id] = YesNo(DIMENSIONS[kind], truth == "yes")
        else:
            raise BadInput(f"{where}: the type {kind[:40]!r} is unknown; known: generative, {', '.join(DIMENSIONS)}.")
    return descriptions, questions


def _safe_words(path: Path) -> frozenset[str]:
    try:
        return frozenset(filter(None, path.read_text(encoding="utf-8-sig").splitlines()))
    except FileNotFoundError:
        raise BadInput(
            f"{path}: there is no such file; give AMBER's folder with annotations.json, relation.json, safe_words.txt."
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: no UTF-8 (byte {error.start}); save the file as UTF-8.") from None


def _queries(folder: Path, annotated: frozenset[int] | set[int]) -> dict[int, AmberQuery]:
    # query_all.json holds what the other files hold in parts; all of them are read, and must say the same of an id
    queries: dict[int, AmberQuery] = {}
    for path in _query_files(folder):
        for where, found in _items(path):
            image = text_of(found, "image", where)
            named = IMAGE.fullmatch(image)
            if named is None:
                raise BadInput(f"{where}: an image is named AMBER_<number>.jpg; got {image[:80]!r}.")
            query = AmberQuery(number_of(found, "id", where), int(named[1]), image, text_of(found, "query", where))
            if query.id not in annotated:
                raise BadInput(f"{where}: the id {query.id} is not in annotations.json; take both files from the same release.")
            if queries.setdefault(query.id, query) != query:
                raise BadInput(f"{where}: the id {query.id} was there before with another image or query; remove one of them.")
    return queries


def _items(path: Path) -> list[tuple[str, dict[str, Any]]]:
    found = json_document(path)
    if not isinstance(found, list):
        raise BadInput(f"{path}: a list of objects is needed; is this the file that AMBER's owners distribute?")
    for number, item in enumerate(found, 1):
        if not isinstance(item, dict):
            raise BadInput(f"{path}, entry {number}: an object is needed; is this the file that AMBER's owners distribute?")
    return [(f"{path}, entry {number}", item) for number, item in enumerate(found, 1)]


def _words(found: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    words = found.get(name)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadInput(f"{where}: {name[:40]!r} must be a list of words.")
    return tuple(words)
