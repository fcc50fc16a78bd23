"""Two ways to read a caption's words: exactly as the public CHAIR code does, and without any download.

Both share the closed table of lemmas, the two-word objects and the ``seat`` rule (`analysis.words.words`); they differ in tokens and in
who decides whether a form is a noun or a verb. A result says which of them it comes from (`Reader.mode`).
"""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from analysis.words import tagging
from analysis.words.vocabulary import Vocabulary, chair
from analysis.words.words import DATA, Pairs, Word, forms, lowered, merge, merged, with_pairs, without_seats, words
from probes.command.cli import BadInput, Notice

MODES = ("auto", "exact", "bundled")
# first letter of the tag -> part of speech in the table; anything else is read as a noun
PARTS = {"J": "a", "V": "v", "N": "n", "R": "r"}


@runtime_checkable
class Reader(Protocol):
    """Reads the words of a caption.

    Attributes
    ----------
    mode : "exact" or "bundled"
    key : changes with whatever decides the words: tables, rules, NLTK's version and data
    """

    @property
    def mode(self) -> str:
        """The reader's name in results."""

    @property
    def key(self) -> str:
        """A hash of all that decides."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Which words name which object."""

    def merged(self, caption: str) -> Sequence[Word]:
        """Lemmas with two-word objects merged; their number is CHAIR's length."""

    def words(self, caption: str) -> Sequence[Word]:
        """The same, and every ``seat`` dropped where a ``toilet`` is named: what is looked up in the synonym table."""


@dataclass(frozen=True)
class Bundled:
    """The words without a tagger: a form is read as a noun if the table knows it as one, else as a verb."""

    vocabulary: Vocabulary = field(default_factory=chair)

    mode: ClassVar[str] = "bundled"

    @property
    def key(self) -> str:
        """A hash of the tables and the rules."""
        return _hash(self.mode, *_own(self.vocabulary))

    def merged(self, caption: str) -> list[Word]:
        """Lemmas with two-word objects merged."""
        return merged(caption, self.vocabulary.pairs)

    def words(self, caption: str) -> list[Word]:
        """The same without ``seat`` beside ``toilet``."""
        return words(caption, self.vocabulary.pairs)


@dataclass(frozen=True)
class Exact:
    """The words of the public CHAIR code: NLTK's tokens and tags, WordNet's lemmas from the closed table.

    Raises
    ------
    BadInput : NLTK or its data are not there
    """

    vocabulary: Vocabulary = field(default_factory=chair)

    mode: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        tagging.require()

    @property
    def key(self) -> str:
        """A hash of the tables, the rules, NLTK's version and its data."""
        return _hash(self.mode, *tagging.marks(), *_own(self.vocabulary))

    def merged(self, caption: str) -> list[Word]:
        """Lemmas with two-word objects merged."""
        return list(_exact(caption, self.vocabulary.pairs))

    def words(self, caption: str) -> list[Word]:
        """The same without ``seat`` beside ``toilet``."""
        return without_seats(_exact(caption, self.vocabulary.pairs))


def reader(mode: str = "auto", vocabulary: Vocabulary | None = None) -> Reader:
    """The reader by its name, with CHAIR's synonyms if no others are given; "auto" is exact where NLTK and its data are found, and says so
    where they are not. A version of NLTK that splits words otherwise than the published programs' is told.

    Raises
    ------
    BadInput : no such name; or "exact", and NLTK or its data are not there
    """
    if mode not in MODES:
        raise BadInput(f"words must be one of {', '.join(MODES)}; got {mode!r}.")
    vocabulary = chair() if vocabulary is None else vocabulary
    if mode == "bundled":
        return Bundled(vocabulary)
    try:
        exact = Exact(vocabulary)
    except BadInput:
        if mode == "exact":
            raise
    else:
        tagging.tell_of_version()
        return exact
    missing = f"words are read without a tagger (bundled), close to the published numbers but not equal; for exact ones {tagging.WAY_OUT}."
    warnings.warn(missing, Notice, stacklevel=2)
    return Bundled(vocabulary)


@lru_cache(maxsize=1024)  # a log of captions: whoever scores it reads it twice, once caption by caption and once for the places of mentions
def _exact(caption: str, further: Pairs) -> tuple[Word, ...]:
    text, place = lowered(caption)
    tokens = tagging.tokens(text)
    lemmas = _lemmas([token.text for token in tokens])
    placed = ((lemma, place[token.start], place[token.end - 1] + 1) for lemma, token in zip(lemmas, tokens, strict=True))
    return tuple(merge(placed, with_pairs(further)))


def _lemmas(texts: list[str]) -> list[str]:
    """Lemmas by part of speech; tagged is only what some part of speech would change, and what comes before it."""
    listed = [i for i, text in enumerate(texts) if text in _listed()]
    if not listed:
        return texts
    tags, found = tagging.tags(texts, listed[-1] + 1), list(texts)
    for i in listed:
        found[i] = forms()[PARTS.get(tags[i][:1], "n")].get(texts[i], texts[i])
    return found


@lru_cache(maxsize=1)
def _listed() -> frozenset[str]:
    return frozenset().union(*forms().values())


def _own(vocabulary: Vocabulary) -> tuple[str, ...]:
    return (f"synonyms {vocabulary.key}",) if vocabulary.key else ()


@lru_cache(maxsize=4)
def _hash(*marks: str) -> str:
    found = hashlib.sha256("\0".join(marks).encode())
    here = Path(__file__).parent
    code = (here / f"{name}.py" for name in ("words", "vocabulary", "readers", "tagging", "tagger_rows"))
    for path in (DATA / "object_forms.json", DATA / "synonyms.txt", *code):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
