"""Whether what the bundled subject says of named objects is true: sides, heights and numbers, read back by its grammar's templates.

CHAIR does not look at these: a caption can name only what is there and still say that a chair is to the right of itself.
"""

import re
from collections import Counter
from collections.abc import Iterable

from probes.subjects.emoji.captions import HEIGHTS, MANY, NUMBERS, ONE, SIDES
from probes.subjects.emoji.scenes import Scene
from probes.subjects.emoji.vocabulary import CATEGORIES

NAMES = {form: category.name for category in CATEGORIES for form in (category.noun, category.plural)}


def _patterns(templates: Iterable[str]) -> list[re.Pattern]:
    found = []
    for template in templates:
        pattern = re.escape(template)
        for slot in ("a", "b", "n"):
            pattern = pattern.replace(re.escape("{" + slot + "}"), rf"(?P<{slot}>[\w ]+?)")
        found.append(re.compile(pattern))
    return found


SIDE_PATTERNS, HEIGHT_PATTERNS, NUMBER_PATTERNS = (_patterns(group) for group in (SIDES, HEIGHTS, ONE + MANY))


def claims(caption: str, drawn: Scene) -> Counter:
    """Counts of claims by kind ("side", "height", "number") and outcome ("true", "false", "itself": one object against itself).

    A relation is true where any two objects of these names stand so; an absent object makes it false.
    """
    found: Counter = Counter()
    places: dict[str | None, list[tuple[float, float]]] = {thing.category: [] for thing in drawn.objects}
    for thing in drawn.objects:
        places[thing.category].append(thing.centre)
    for axis, patterns in ((0, SIDE_PATTERNS), (1, HEIGHT_PATTERNS)):
        for a, b in ((m["a"], m["b"]) for pattern in patterns for m in pattern.finditer(caption)):
            kind, one, other = ("side", "height")[axis], NAMES.get(a), NAMES.get(b)
            if one is not None and one == other:  # two words that name nothing are not one object
                found[kind, "itself"] += 1
            else:
                holds = any(p[axis] <= q[axis] for p in places.get(one, ()) for q in places.get(other, ()))
                found[kind, "true" if holds else "false"] += 1
    for match in (m for pattern in NUMBER_PATTERNS for m in pattern.finditer(caption)):
        said = NUMBERS.index(match["n"]) if match.groupdict().get("n") in NUMBERS else 1
        found["number", "true" if len(places.get(NAMES.get(match["a"]), ())) == said else "false"] += 1
    return found


def shares(captions: Iterable[str], drawn: Iterable[Scene]) -> dict[str, float]:
    """Over all captions: claims of each kind a caption, the share of them that is true, and that compares an object with itself."""
    total: Counter = Counter()
    n = 0
    for caption, item in zip(captions, drawn, strict=True):
        total += claims(caption, item)
        n += 1
    result = {}
    for kind in ("side", "height", "number"):
        number = sum(total[kind, outcome] for outcome in ("true", "false", "itself"))
        result[f"{kind}_claims"] = number / n if n else float("nan")
        result[f"{kind}_true"] = total[kind, "true"] / number if number else float("nan")
        result[f"{kind}_itself"] = total[kind, "itself"] / number if number else float("nan")
    return result
