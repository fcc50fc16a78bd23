"""Templates with choices: ``The [dog|cat] sleeps.`` says one of two sentences."""

import re
from itertools import product
from math import prod

import numpy as np

CHOICE = re.compile(r"\[([^\[\]]*)\]")


def alternatives(template: str) -> list[list[str]]:
    """The choices of a template in their order."""
    return [match.split("|") for match in CHOICE.findall(template)]


def phrasings(templates: tuple[str, ...]) -> int:
    """How many different sentences the templates can say before their slots are filled."""
    return sum(prod(map(len, alternatives(template))) for template in templates)


def pick(templates: tuple[str, ...], generator: np.random.Generator, used: set[str]) -> str:
    """One of the templates that have not been used, each of its choices made at random; it counts as used from here on."""
    free = [template for template in templates if template not in used]
    template = free[int(generator.integers(len(free)))]
    used.add(template)
    return CHOICE.sub(lambda match: _one(match.group(1).split("|"), generator), template)


def fill(text: str, **slots: str) -> str:
    """The text with its slots filled; ``{Name}`` takes what ``{name}`` does, with a capital letter."""
    capital = {name.capitalize(): value[:1].upper() + value[1:] for name, value in slots.items()}
    return text.format(**slots, **capital)


def expansions(template: str) -> list[str]:
    """Every sentence that a template can say, its slots unfilled."""
    parts = CHOICE.split(template)
    choices = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def _one(choices: list[str], generator: np.random.Generator) -> str:
    return choices[int(generator.integers(len(choices)))]
