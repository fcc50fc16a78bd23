"""The words that Object HalBench counts: CHAIR's synonyms refined, lemmas of nouns whatever the part of speech, two-word objects.

Ground truth reads people's captions with `NounReader`, "noun" in place of CHAIR's "exact": NLTK's tokens and the noun's lemma without a
tagger, so that "seated" is no seat and "skiing" no skis.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from analysis.words import tagging
from analysis.words.readers import Reader
from analysis.words.vocabulary import Vocabulary, chair
from analysis.words.words import ANIMALS, TOKEN, Word, forms, lowered, merge, without_seats

DATA = Path(__file__).parent / "data" / "halbench"


@lru_cache(maxsize=1)
def synonyms() -> dict[str, str]:
    """Every word of the refined table and the object (COCO's name) that it stands for."""
    rows = [line.split(", ") for line in (DATA / "synonyms.txt").read_text(encoding="utf-8").splitlines()]
    return {word: row[0] for row in rows for word in row}


@lru_cache(maxsize=1)
def pairs() -> dict[str, str]:
    """Pairs of lemmas that are read as one, and what they are read as: every object of two words, and CHAIR's rules."""
    found = {name: name for name in (*synonyms(), "home plate", "train track") if len(name.split()) > 1}
    found |= {f"{age} {animal}": animal for animal in ANIMALS for age in ("baby", "adult")}
    return found | {f"passenger {v}": v for v in ("jet", "train")} | {"bow tie": "tie", "toilet seat": "toilet", "wine glas": "wine glass"}


@lru_cache(maxsize=1)
def object_parts() -> frozenset[str]:
    """Every word that an object's name consists of: what is taken for a noun where there is no tagger."""
    return frozenset(part for name in (*synonyms(), *pairs()) for part in name.split())


@lru_cache(maxsize=1)
def _added() -> dict[str, str]:
    return json.loads((DATA / "noun_forms.json").read_text(encoding="utf-8"))["forms"]


def lemma(form: str) -> str:
    """WordNet's shortest lemma of the form as a noun, as far as these objects are concerned; the form itself where there is none."""
    return _added().get(form) or forms()["n"].get(form, form)


def lemmas(text: str, mode: str) -> list[Word]:
    """The noun's lemma of each token of a text, lower-cased, with its place; nothing merged.

    Parameters
    ----------
    mode : "exact" (NLTK's tokens) or "bundled"

    Raises
    ------
    BadInput : "exact", and NLTK or its data are not there
    """
    low, place = lowered(text)
    if mode == "exact":
        tokens = [(form, start, end) for form, start, end in tagging.tokens(low)]
    else:
        tokens = [(found.group(), found.start(), found.end()) for found in TOKEN.finditer(low)]
    return [Word(lemma(form), place[start], place[end - 1] + 1, i, i + 1) for i, (form, start, end) in enumerate(tokens)]


@dataclass(frozen=True)
class NounReader:
    """Words of people's captions as Object HalBench reads them; an object is given by COCO's name, so that CHAIR's table knows it too.

    Parameters
    ----------
    tokens
        Whose tokens: the reader's mode decides, "exact" NLTK's, "bundled" those without download.
    """

    tokens: Reader

    @property
    def mode(self) -> str:
        """ "noun", or "noun, bundled"."""
        return "noun" if self.tokens.mode == "exact" else f"noun, {self.tokens.mode}"

    @property
    def key(self) -> str:
        """A hash of the tables, the rules and the tokens."""
        decides = (*sorted(DATA.glob("*.[jt]*")), Path(__file__))
        told = [self.mode, self.tokens.key, *(f"{path.name}:{path.read_text(encoding='utf-8')}" for path in decides)]
        return hashlib.sha256("\0".join(told).encode()).hexdigest()

    @property
    def vocabulary(self) -> Vocabulary:
        """CHAIR's, which knows every object by COCO's name."""
        return chair()

    def merged(self, caption: str) -> list[Word]:
        """Lemmas with two-word objects merged."""
        return _named(self._merged(caption))

    def words(self, caption: str) -> list[Word]:
        """The same without ``seat`` beside ``toilet``."""
        return _named(without_seats(self._merged(caption)))

    def _merged(self, caption: str) -> list[Word]:
        return merge(((word.text, word.start, word.end) for word in lemmas(caption, self.tokens.mode)), pairs())


def _named(words: Sequence[Word]) -> list[Word]:
    # CHAIR's table lacks the refined words; their object's own name it has
    return [word._replace(text=synonyms().get(word.text, word.text)) for word in words]
