"""Whether the grammar of the training captions can write a sentence: a template, filled with objects of which none is named twice."""

import re
from functools import lru_cache

from probes.subjects.emoji import captions
from probes.subjects.emoji.kinds import KINDS
from probes.subjects.emoji.vocabulary import CATEGORIES

FORMS = {form: category.name for category in CATEGORIES for form in (category.noun, category.plural)}
TEMPLATES = (
    *(*captions.OPENINGS, *captions.FURTHER, *captions.NO_FURTHER, *captions.SIDES, *captions.HEIGHTS, *captions.ONE, *captions.MANY),
    *(*captions.ATTRIBUTES, *captions.BEHIND, *captions.NOTHING_BEHIND, *captions.CLOSINGS, *captions.HABITS),
)


def sentences(caption: str) -> list[str]:
    """The sentences of a caption, each with its full stop; an unfinished end is one too."""
    return [part.strip() for part in re.findall(r"[^.]+\.?", caption) if part.strip()]


def writes(sentence: str) -> bool:
    """Whether the grammar can write this sentence, of whatever scene."""
    return any(_fits(match.groupdict()) for reader in _readers() if (match := reader.fullmatch(sentence)))


def _fits(slots: dict[str, str]) -> bool:
    """Two slots, or two places of a list, hold two objects."""
    phrases = re.split(r", and | and |, ", slots["things"]) if "things" in slots else [slots[name] for name in ("a", "b") if name in slots]
    named = [FORMS[re.sub(r"^an? ", "", phrase) if "things" in slots else phrase] for phrase in phrases]
    return len(set(named)) == len(named)


@lru_cache(maxsize=1)
def _readers() -> list[re.Pattern]:
    nouns, plurals, thing = (
        _either(words)
        for words in (
            [category.noun for category in CATEGORIES],
            [category.plural for category in CATEGORIES],
            [captions.with_article(category) for category in CATEGORIES],
        )
    )
    slots = {
        "kind": _either([kind.name for kind in KINDS]),
        "where": _either([kind.where for kind in KINDS]),
        "things": f"{thing}(?:(?:, {thing})+, and {thing}| and {thing})?",
        "b": nouns,
        "n": _either(captions.NUMBERS[2:]),
        "size": _either([word for word, _ in captions.SIZES]),
        "place": _either([place for row in captions.PLACES for place in row]),
    }

    def expression(template: str) -> re.Pattern:
        given = slots | {"a": plurals if template in captions.MANY else nouns}
        parts = re.split(r"\{(\w+)\}", template)
        return re.compile("".join(f"(?P<{part}>{given[part]})" if i % 2 else re.escape(part) for i, part in enumerate(parts)))

    return [expression(template) for template in TEMPLATES]


def _either(words: list[str] | tuple[str, ...]) -> str:
    return "(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + ")"
