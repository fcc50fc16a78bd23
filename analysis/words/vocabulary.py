"""Which words name which object: CHAIR's synonym table, or one's own in its format."""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from analysis.words.words import Pairs, lemma, synonyms
from probes.command.cli import BadInput, Notice
from probes.command.values import given_text


@dataclass(frozen=True)
class Vocabulary:
    """A synonym table.

    Attributes
    ----------
    key : a hash of the file; "" for CHAIR's own table
    name : of the file, for messages
    table : by word, the object that it names
    pairs : two words that are read as one beside CHAIR's, and what they are read as
    """

    key: str = ""
    name: str = field(default="CHAIR's table", compare=False)
    table: Mapping[str, str] = field(default_factory=synonyms, compare=False, repr=False)
    pairs: Pairs = field(default=(), compare=False, repr=False)


@lru_cache(maxsize=1)
def chair() -> Vocabulary:
    """CHAIR's own."""
    return Vocabulary()


def read_synonyms(path: Path) -> Vocabulary:
    """One's own table: a line an object, its name first, then the words that name it, with ", " between them, all in lower case.

    Words are compared with lemmas, and a word of two parts with two neighbours. CHAIR's lemmas and pairs hold for its own words, so that
    its own file gives its own numbers. Any other word is found as it stands in the file, so that plurals are words of their own.

    Raises
    ------
    BadInput : no such file, no UTF-8, no line, an empty one, an empty word, or a word of two objects; says in which line
    """
    content = _content(path)
    table: dict[str, str] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            raise BadInput(f"{path}, line {number}: is empty; write one object a line, its name first, or remove it.")
        words = line.strip().split(", ")
        for word in words:
            if not word.strip(" ,"):
                raise BadInput(f"{path}, line {number}: an empty word; write a comma and a blank between words, and none at the end.")
            if table.setdefault(word, words[0]) != words[0]:
                raise BadInput(f"{path}, line {number}: {word[:60]!r} names {table[word]!r} in an earlier line; keep it in one of the two.")
    if not table:
        raise BadInput(f"{path}: holds no word; write one object a line, its name first, then its synonyms.")
    _tell_of_useless(path, table)
    own = [word for word in table if word not in synonyms()]
    # the reader gives the lemma of what is a form of one of CHAIR's words: "dishes" comes as "dish"
    named = {lemma(word): table[word] for word in own} | table
    pairs = dict(pair for word in own if len(word.split()) == 2 for pair in ((word, word), (" ".join(map(lemma, word.split())), word)))
    return Vocabulary(hashlib.sha256(content.encode()).hexdigest(), str(path), named, tuple(sorted(pairs.items())))


def _content(path: Path) -> str:
    try:
        return given_text(path, "utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; check the path.") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: this is a folder; give a file of synonyms.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: no UTF-8 (byte {error.start}); save the file as UTF-8.") from None


def _tell_of_useless(path: Path, table: Mapping[str, str]) -> None:
    """A Notice of words that no caption can hold."""
    useless = [word for word in table if word != word.lower() or "," in word or word != " ".join(word.split()) or len(word.split()) > 2]
    if useless:
        told = f"{path}: {len(useless)} of {len(table)} words can never be found (upper case, a comma, a blank too many, three parts)"
        warnings.warn(f"{told}, the first is {useless[0][:60]!r}.", Notice, stacklevel=3)
