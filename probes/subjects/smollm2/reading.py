"""Captions read back by the grammar: which template a sentence is, and whether what it says is true of a scene.

CHAIR sees which objects are named. This sees the rest: whether a text is of sentences that were learned at all, and whether places,
colours, counts and relations are those of the scene.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from probes.subjects.emoji.kinds import KINDS
from probes.subjects.emoji.scenes import Scene, SceneObject
from probes.subjects.smollm2.captions import LARGE, MOODS, NUMBERS, SMALL, place
from probes.subjects.smollm2.colours import colour
from probes.subjects.smollm2.grammar import expansions
from probes.subjects.smollm2.phrases import PHRASES
from probes.subjects.smollm2.places import ACTIVITIES
from probes.subjects.smollm2.words import nouns, object_forms, plural_of

WHERE = "|".join(kind.where for kind in KINDS)
SLOTS = {"kind": "|".join(kind.name for kind in KINDS), "where": WHERE, "Where": f"(?i:{WHERE})"}
# these say which objects are there; CHAIR scores them
LISTS = ("opening", "further", "behind")


@lru_cache(maxsize=1)
def _readers() -> list[tuple[str, re.Pattern]]:
    """One expression a phrasing, those with most fixed words first, so that a sentence is read as what it most exactly is."""
    found = []
    for kind, templates in PHRASES.items():
        for said in (sentence for template in templates for sentence in expansions(template)):
            expression = re.sub(
                r"\\\{(\w+)\\\}", lambda slot: f"(?P<{slot.group(1).lower()}>{SLOTS.get(slot.group(1), '.+?')})", re.escape(said)
            )
            found.append((len(re.sub(r"\{\w+\}", "", said)), kind, re.compile(expression)))
    return [(kind, expression) for _, kind, expression in sorted(found, key=lambda row: -row[0])]


@lru_cache(maxsize=4096)
def read(sentence: str) -> tuple[str, dict[str, str]] | None:
    """Which kind of sentence it is and what fills its slots, whatever that is; None where no phrasing is like it."""
    return next(((kind, match.groupdict()) for kind, match in readings(sentence)), None)


def readings(sentence: str) -> Iterator[tuple[str, re.Match]]:
    """Every phrasing that it could be, by kind, with what would fill the slots; those with most fixed words first."""
    for kind, expression in _readers():
        if match := expression.fullmatch(sentence):
            yield kind, match


def holds(scene: Scene, kind: str, slots: dict[str, str]) -> bool:
    """Whether a sentence that was read is true of the scene.

    "The dog" must be one object: where there is none of that name, or more than one, the sentence does not hold.
    """
    side = scene.image.width
    here = slots.get("kind") in (None, scene.kind.name) and slots.get("where", "").lower() in ("", scene.kind.where)
    if kind in LISTS:
        return here and _listed(scene, slots["things"])
    if kind == "activity":
        return here and slots["activity"] in ACTIVITIES[scene.kind.name]
    if kind == "mood":
        return slots["mood"] in [words for least, words in MOODS if len(scene.objects) >= least][-1]
    if kind == "closing":
        return here
    if kind == "nothing":
        large = {item.category for item in scene.objects if item.role == "main"}
        return all(item.category in large for item in scene.objects)
    if kind == "many":
        name = _name(slots["many"])
        return slots["n"] in NUMBERS and Counter(item.category for item in scene.objects)[name] == NUMBERS.index(slots["n"]) > 1
    a, b = _one(scene, slots["a"]), _one(scene, slots["b"]) if "b" in slots else None
    if a is None or ("b" in slots and (b is None or a is b)):
        return False
    return _of_one(a, kind, slots, side) if b is None else _of_two(a, b, kind)


def _of_one(item: SceneObject, kind: str, slots: dict[str, str], side: int) -> bool:
    share = max(item.bbox[2:]) / side
    if kind == "size":
        return share < SMALL if slots["size"] == "small" else slots["size"] == "large" and share >= LARGE
    if kind == "colour":
        return colour(item.glyph) == slots["colour"]
    return kind == "one" or place(item, side) == slots["place"]


def _of_two(a: SceneObject, b: SceneObject, kind: str) -> bool:
    if kind == "larger":
        return max(a.bbox[2:]) > max(b.bbox[2:])
    axis = 0 if kind == "side" else 1
    return a.centre[axis] < b.centre[axis]


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """By word as it stands behind an article, a number or "the", the object."""
    whole = {form: name for name in object_forms() for noun in nouns(name) for form in (noun, plural_of(name, noun))}
    return {form: name for name, forms in object_forms().items() for form in forms} | whole


def _name(word: str) -> str | None:
    return _names().get(word)


def _one(scene: Scene, word: str) -> SceneObject | None:
    found = [item for item in scene.objects if item.category == _name(word)]
    return found[0] if len(found) == 1 else None


def _listed(scene: Scene, things: str) -> bool:
    """Whether every object of a list is there, as often as it says."""
    counts = Counter(item.category for item in scene.objects)
    for phrase in re.split(r", and | and |, ", things):
        number, _, word = phrase.partition(" ")
        number = number.lower()
        often = 1 if number in ("a", "an") else NUMBERS.index(number) if number in NUMBERS else 0
        if not often or counts[_name(word)] != often:
            return False
    return True
