"""Templates with choices: ``The [dog|cat] sleeps.`` says one of two sentences."""

import re
from math import prod

import numpy as np

CHOICE = re.compile(r"\[([^\[\]]*)\]")


def alternatives(template: str) -> list[list[str]]:
    """The choices of a template in their order."""
    return [match.split("|") for match in CHOICE.findall(template)]


def phrasings(templates: tuple[str, ...]) -> int:
    """How many different sentences the templates can say before their slots are filled."""
    return sum(prod(map(len, alternatives(template))) for template in templates)


def pick(templates: tuple[str, ...], generator: np.random.Generator) -> str:
    """One of the templates, each of its choices made at random."""
    template = templates[int(generator.integers(len(templates)))]
    return CHOICE.sub(lambda match: _one(match.group(1).split("|"), generator), template)


def fill(text: str, **slots: str) -> str:
    """The text with its slots filled; ``{Name}`` takes what ``{name}`` does, with a capital letter."""
    capital = {name.capitalize(): value[:1].upper() + value[1:] for name, value in slots.items()}
    return text.format(**slots, **capital)


def pattern(template: str) -> str:
    """A regular expression of every sentence that a template can say; each slot is a group ``(.+?)``."""
    parts = CHOICE.split(template)
    expressions = [_slots(part) if i % 2 == 0 else "(?:" + "|".join(map(_slots, part.split("|"))) + ")" for i, part in enumerate(parts)]
    return "".join(expressions)


def _one(choices: list[str], generator: np.random.Generator) -> str:
    return choices[int(generator.integers(len(choices)))]


def _slots(text: str) -> str:
    return re.sub(r"\\\{\w+\\\}", "(.+?)", re.escape(text))
