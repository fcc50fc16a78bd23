"""What the captions call each object: CHAIR's own words for it, one of them chosen for a whole caption."""

import re
from functools import lru_cache

from probes.subjects.coco import plural
from probes.subjects.emoji.vocabulary import BY_NAME, CATEGORIES

# further singular nouns, all in CHAIR's table of synonyms and true of every glyph of the object
SYNONYMS = {
    "bicycle": ("bike",),
    "car": ("automobile",),
    "motorcycle": ("motorbike",),
    "airplane": ("plane", "aircraft"),
    "truck": ("lorry",),
    "handbag": ("purse",),
    "suitcase": ("piece of luggage",),
    "donut": ("doughnut",),
    "couch": ("sofa",),
    "potted plant": ("houseplant",),
    "dining table": ("table",),
    "tv": ("television",),
    "cell phone": ("phone", "smartphone"),
}
# plurals that the rule of `plural` does not give
PLURALS = {"piece of luggage": "pieces of luggage", "aircraft": "aircraft", "lorry": "lorries"}
ARTICLES = {"umbrella": "an"}
VOWELS = "aeio"


def nouns(name: str) -> tuple[str, ...]:
    """The singular noun phrases that captions say for an object, the commonest first."""
    return (BY_NAME[name].noun, *SYNONYMS.get(name, ()))


def plural_of(name: str, noun: str) -> str:
    """The plural of one of an object's noun phrases."""
    return BY_NAME[name].plural if noun == BY_NAME[name].noun else PLURALS.get(noun) or plural(noun)


def with_article(noun: str) -> str:
    """The noun phrase with its indefinite article."""
    return f"{ARTICLES.get(noun, 'an' if noun[0] in VOWELS else 'a')} {noun}"


def object_forms() -> dict[str, tuple[str, ...]]:
    """By COCO's name, the words that captions say for the object itself, singular and plural; a measure ("pair of") is left out."""
    return {
        c.name: tuple(dict.fromkeys(form.rpartition(" of ")[2] for noun in nouns(c.name) for form in (noun, plural_of(c.name, noun))))
        for c in CATEGORIES
    }


@lru_cache(maxsize=1)
def _pattern() -> tuple[re.Pattern, dict[str, str]]:
    forms = {form.lower(): name for name, said in object_forms().items() for form in said}
    return re.compile(r"\b(" + "|".join(sorted(map(re.escape, forms), key=len, reverse=True)) + r")\b"), forms


def named(caption: str) -> list[str]:
    """The objects that a caption of this grammar names, mention by mention, whatever its capitals."""
    pattern, forms = _pattern()
    return [forms[match] for match in pattern.findall(caption.lower())]
