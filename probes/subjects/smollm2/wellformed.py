"""Whether the grammar of the training captions can write a sentence: a phrasing, each slot of it filled as the writer fills it."""

import re
from functools import lru_cache

from probes.subjects.emoji.kinds import KINDS
from probes.subjects.emoji.vocabulary import CATEGORIES
from probes.subjects.smollm2.captions import MOODS, NUMBERS, PLACES, head
from probes.subjects.smollm2.colours import PALETTE
from probes.subjects.smollm2.places import ACTIVITIES
from probes.subjects.smollm2.reading import readings
from probes.subjects.smollm2.words import nouns, plural_of, with_article

NAMED = ("a", "b", "many")
"""Slots that hold an object each."""


def writes(sentence: str) -> bool:
    """Whether the grammar can write this sentence, of whatever scene: what it names are objects, each of them once."""
    return any(_filled(kind, match) for kind, match in readings(sentence))


def _filled(kind: str, match: re.Match) -> bool:
    slots = match.groupdict()
    if first := [slot for slot in slots if match.start(slot) == 0]:  # what begins the sentence has a capital letter
        opens = slots[first[0]]
        slots[first[0]] = opens[0].lower() + opens[1:] if opens[0].isupper() else ""
    places = [place.name for place in KINDS if slots.get("kind") in (None, place.name) and slots.get("where") in (None, place.where)]
    named = _listed(slots["things"]) if "things" in slots else [_words(kind, slot).get(slots[slot]) for slot in NAMED if slot in slots]
    if not places or None in named or len(set(named)) < len(named):
        return False
    if "activity" in slots and not any(slots["activity"] in ACTIVITIES[place] for place in places):
        return False
    return all(text in _fixed()[slot] for slot, text in slots.items() if slot in _fixed())


def _listed(things: str) -> list[str | None]:
    """The objects of a list; None for what is none, or a list that is put together otherwise."""
    phrases = re.split(r", and | and |, ", things)
    joined = " and ".join(phrases) if len(phrases) < 3 else ", ".join(phrases[:-1]) + ", and " + phrases[-1]
    return [_phrases().get(phrase) for phrase in phrases] if joined == things else [None]


@lru_cache(maxsize=1)
def _fixed() -> dict[str, frozenset[str]]:
    """By slot, all that the writer puts there."""
    return {
        "place": frozenset(place for row in PLACES for place in row),
        "size": frozenset(("small", "large")),
        "colour": frozenset(filter(None, PALETTE)),
        "mood": frozenset(mood for _, moods in MOODS for mood in moods),
        "n": frozenset(NUMBERS[2:]),
    }


@lru_cache(maxsize=1)
def _phrases() -> dict[str, str]:
    """By phrase of a list, the object."""
    found = {with_article(noun): category.name for category in CATEGORIES for noun in nouns(category.name)}
    several = [(category.name, plural_of(category.name, noun)) for category in CATEGORIES for noun in nouns(category.name)]
    return found | {f"{number} {said}": name for number in NUMBERS[2:] for name, said in several}


@lru_cache(maxsize=16)
def _words(kind: str, slot: str) -> dict[str, str]:
    """By what stands in a slot, the object: its plural behind a number, its noun behind "one" and, shortened, behind "the"."""
    every = [(category.name, noun) for category in CATEGORIES for noun in nouns(category.name)]
    if slot == "many":
        return {plural_of(name, noun): name for name, noun in every}
    return {noun if kind == "one" else head(noun): name for name, noun in every}
