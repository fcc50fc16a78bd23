"""Words of a caption as CHAIR sees them: lower-case tokens with their places, lemmas, two-word objects, synonyms.

The definition is that of the public CHAIR code (Rohrbach et al. 2018, in the form that OPERA and PAI share), including its quirks:
``men`` and ``vases`` have no CHAIR lemma, two entries of the synonym table begin with a blank and never match, hyphenated words never
match. Here the tagger is replaced by a fixed table: a form is read as a noun if it can be one, then as a verb. With NLTK's tagger:
`analysis.words.readers`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent / "data" / "chair"
TOKEN = re.compile(r"\w+?(?=n't\b)|n't\b|'\w+|\w+(?:[-./]\w+)*|[^\w\s]")
PAIRS = (
    *("motor bike", "motor cycle", "air plane", "traffic light", "street light", "traffic signal", "stop light", "fire hydrant"),
    *("stop sign", "parking meter", "suit case", "sports ball", "baseball bat", "baseball glove", "tennis racket", "wine glass"),
    *("hot dog", "cell phone", "mobile phone", "teddy bear", "hair drier", "potted plant", "bow tie", "laptop computer"),
    *("stove top oven", "home plate", "train track"),
)
ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "animal", "cub")
# Forms that a tagger reads as a noun or an adjective nearly always, though the table knows them as verbs only.
NOT_VERBS = frozenset(("parking", "potted", "stove", "scissors", "training", "moped"))

Pairs = tuple[tuple[str, str], ...]
"""Two words, and what they are read as, of several such."""


class Word(NamedTuple):
    """A word after merging.

    Attributes
    ----------
    text : its lemma
    start, end : its characters in the caption as given, end exclusive
    first, last : its tokens as they were before merging, last exclusive
    """

    text: str
    start: int
    end: int
    first: int
    last: int


@lru_cache(maxsize=1)
def _forms() -> dict[str, dict[str, str]]:
    return json.loads((DATA / "object_forms.json").read_text(encoding="utf-8"))["forms"]


@lru_cache(maxsize=1)
def synonyms() -> dict[str, str]:
    """Every word of the synonym table and the object (COCO's name) that it stands for."""
    rows = [line.strip().split(", ") for line in (DATA / "synonyms.txt").read_text(encoding="utf-8").splitlines()]
    return {word: row[0] for row in rows for word in row}


@lru_cache(maxsize=1)
def two_words() -> dict[str, str]:
    """Pairs of words that are read as one, and what they are read as."""
    pairs = {pair: pair for pair in PAIRS}
    pairs |= {f"{age} {animal}": animal for animal in ANIMALS for age in ("baby", "adult")}
    return pairs | {f"passenger {v}": v for v in ("jet", "train")} | {"bow tie": "tie", "toilet seat": "toilet", "wine glas": "wine glass"}


def lemma(form: str) -> str:
    """The form's lemma: as a noun if the table knows it as one, else as a verb, else the form itself."""
    forms = _forms()
    if form in forms["n"] or form in NOT_VERBS:
        return forms["n"].get(form, form)
    return forms["v"].get(form, form)


def forms() -> dict[str, dict[str, str]]:
    """By part of speech (n, v, a, r), the lemma of every form that matters to CHAIR; every other form is its own lemma."""
    return _forms()


def lowered(caption: str) -> tuple[str, Sequence[int]]:
    """The caption in lower case, and for each of its characters the character of the caption as given.

    They differ in number where lower case takes two characters, as that of "\u0130" does.
    """
    text = caption.lower()
    if len(text) == len(caption):
        return text, range(len(text))
    return text, [place for place, character in enumerate(caption) for _ in character.lower()]


def merge(lemmas: Iterable[tuple[str, int, int]], pairs: Mapping[str, str] | None = None) -> list[Word]:
    """Words from lemmas and their places, pairs of two-word objects (`two_words` if None) merged from left to right."""
    tokens = [Word(text, start, end, i, i + 1) for i, (text, start, end) in enumerate(lemmas)]
    pairs, merged, i = two_words() if pairs is None else pairs, [], 0
    while i < len(tokens):
        token = tokens[i]
        if i + 1 < len(tokens) and (pair := f"{token.text} {tokens[i + 1].text}") in pairs:
            token = Word(pairs[pair], token.start, tokens[i + 1].end, i, i + 2)
        merged.append(token)
        i = token.last
    return merged


def without_seats(merged: Sequence[Word]) -> list[Word]:
    """Every ``seat`` dropped where a ``toilet`` is named."""
    found = {word.text for word in merged}
    return [word for word in merged if word.text != "seat" or "toilet" not in found]


def merged(caption: str, further: Pairs = ()) -> list[Word]:
    """The caption's lemmas with two-word objects merged, `further` ones too; their number is CHAIR's length."""
    return list(_merged(caption, further))


def words(caption: str, further: Pairs = ()) -> list[Word]:
    """The caption's lemmas with two-word objects merged, and every ``seat`` dropped where a ``toilet`` is named."""
    return without_seats(_merged(caption, further))


def with_pairs(further: Pairs) -> Mapping[str, str]:
    """CHAIR's two-word objects, and further ones."""
    return two_words() | dict(further) if further else two_words()


@lru_cache(maxsize=8)
def _merged(caption: str, further: Pairs) -> tuple[Word, ...]:
    # kept for a moment: a caption is read by its score and again by what asks where its mentions are
    text, place = lowered(caption)
    found = TOKEN.finditer(text)
    lemmas = ((lemma(match.group()), place[match.start()], place[match.end() - 1] + 1) for match in found)
    return tuple(merge(lemmas, with_pairs(further)))
