"""Words of a caption as CHAIR sees them: lower-case tokens with their places, lemmas, two-word objects, synonyms.

The definition is that of the public CHAIR code (Rohrbach et al. 2018, in the form that OPERA and PAI share), including its quirks:
``men`` and ``vases`` have no CHAIR lemma, two entries of the synonym table begin with a blank and never match, hyphenated words never
match. The tagger is replaced by a fixed table: a form is read as a noun if it can be one, then as a verb.
"""

import json
import re
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


class Word(NamedTuple):
    """A word after merging: its text and its place in the caption (characters, end exclusive)."""

    text: str
    start: int
    end: int


@lru_cache(maxsize=1)
def _forms() -> dict[str, dict[str, str]]:
    return json.loads((DATA / "object_forms.json").read_text())["forms"]


@lru_cache(maxsize=1)
def synonyms() -> dict[str, str]:
    """Every word of the synonym table and the object (COCO's name) that it stands for."""
    rows = [line.strip().split(", ") for line in (DATA / "synonyms.txt").read_text().splitlines()]
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


def words(caption: str) -> list[Word]:
    """The caption's lemmas with two-word objects merged, and every ``seat`` dropped where a ``toilet`` is named."""
    return list(_words(caption))


@lru_cache(maxsize=8)
def _words(caption: str) -> tuple[Word, ...]:
    # kept for a moment: a caption is read by its score and again by what asks where its mentions are
    tokens = [Word(lemma(match.group()), match.start(), match.end()) for match in TOKEN.finditer(caption.lower())]
    pairs, merged, i = two_words(), [], 0
    while i < len(tokens):
        pair = " ".join(token.text for token in tokens[i : i + 2])
        if pair in pairs:
            merged.append(Word(pairs[pair], tokens[i].start, tokens[min(i + 1, len(tokens) - 1)].end))
            i += 2
        else:
            merged.append(tokens[i])
            i += 1
    found = {word.text for word in merged}
    return tuple(word for word in merged if word.text != "seat" or "toilet" not in found)
