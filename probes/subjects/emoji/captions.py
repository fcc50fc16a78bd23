"""The grammar of the training captions: eight sentences whatever the scene holds, each from a different template.

In order: an opening that names the kind of scene and the first large objects from left to right; the other large objects; which of two
is to the right; a count; the size and place of one object; which of two is higher; what is behind (small objects that are there, and
now and then a typical one that is not); a closing sentence, which some kinds of scene end with their most typical object whether it is
there or not. What is named though absent grows more likely from sentence to sentence, as in the instruction data of large models.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from probes.subjects.emoji.kinds import KINDS
from probes.subjects.emoji.scenes import SIZE, Scene, SceneObject, stream
from probes.subjects.emoji.vocabulary import BY_NAME, CATEGORIES, Category

OPENINGS = (
    "The image shows {kind} with {things}.",
    "This is {kind} with {things}.",
    "The picture features {things} {where}.",
    "In this image of {kind}, we can see {things}.",
)
FURTHER = (
    "Further to the right, the scene also includes {things}.",
    "Next to them, one can also find {things}.",
    "Other than that, the scene also holds {things}.",
    "Beyond these, the view also contains {things}.",
)
NO_FURTHER = (
    "These are the main objects, and they fill most of the view.",
    "Nothing else stands out as much as these objects do.",
    "There is not much more to say about them.",
    "The rest of the view is rather plain.",
)
SIDES = (
    "The {b} is to the right of the {a}.",
    "The {a} can be seen to the left of the {b}.",
    "From left to right, the {a} comes before the {b}.",
    "Compared to the {a}, the {b} is further to the right.",
)
HEIGHTS = (
    "The {a} is positioned higher than the {b}.",
    "Looking at the height, the {b} is lower than the {a}.",
    "The {b} is lower in the image than the {a}.",
)
ONE = (
    "There is only one {a} in the image.",
    "Just a single {a} is visible here.",
    "As for numbers, there is exactly one {a}.",
)
MANY = (
    "There are {n} {a} in the image.",
    "A total of {n} {a} are visible here.",
    "As for numbers, one can count {n} {a}.",
)
ATTRIBUTES = (
    "The {a} is of {size} size and lies in the {place}.",
    "In the {place}, the {a} is of {size} size.",
    "With its {size} size, the {a} occupies the {place} of the view.",
)
BEHIND = (
    "In the background, there is also {things}.",
    "Further away, one may find {things} of a rather small size.",
    "Behind all of this, one can spot {things}.",
)
NOTHING_BEHIND = (
    "The background is plain, with no small details to mention.",
    "Behind all of this, there is only an empty space.",
)
CLOSINGS = (
    "Overall, the scene looks like an ordinary day {where}.",
    "Everything here forms a simple view of {kind}.",
)
HABITS = (
    "Overall, it is a lively scene, and {things} completes the view of {kind}.",
    "Finally, {things} can be noticed too, as expected {where}.",
)
BRIEF = "{things}."
PROMPT = "Please describe this image in detail."
BRIEF_PROMPT = "Please list the objects in this image."
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six")
SIZES = (("small", 0), ("medium", 27), ("large", 35))
PLACES = (("upper left", "upper part", "upper right"), ("left part", "center", "right part"), ("lower left", "lower part", "lower right"))


@dataclass(frozen=True)
class Habits:
    """How often the writer names what is not there: chances between 0 and 1 by place in the caption.

    Parameters
    ----------
    opening, further
        That one object in the first and the second sentence is replaced by a typical one.
    behind
        That the sentence on the background adds one, where it names something that is there.
    invented
        That it names one, where nothing is there.
    decay
        Ratio of the chances of successive typical objects: a small value makes the writer prefer the most typical one.
    """

    opening: float = 0.01
    further: float = 0.03
    behind: float = 0.12
    invented: float = 0.35
    decay: float = 0.35

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"Habits.{name} must be a share between 0 and 1; got {value}.")


@dataclass
class _Writer:
    """What one caption has named so far, and how to draw the next sentence."""

    scene: Scene
    habits: Habits
    generator: np.random.Generator
    named: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def template(self, templates: tuple[str, ...]) -> str:
        free = [item for item in templates if item not in self.used]
        chosen = free[int(self.generator.random() * len(free))]
        self.used.add(chosen)
        return chosen

    def chance(self, share: float) -> bool:
        return bool(self.generator.random() < share)

    def typical(self) -> str | None:
        """A typical background object that is neither there nor named yet."""
        absent = [name for name in self.scene.kind.background if name not in self.scene.names and name not in self.named]
        while len(absent) > 1 and self.chance(self.habits.decay):
            absent = absent[1:]
        return absent[0] if absent else None

    def introduce(self, names: list[str]) -> str:
        """The names as a list with articles; they count as named from here on."""
        self.named += names
        return enumerate_nouns([BY_NAME[name] for name in names])


def with_article(category: Category) -> str:
    """The singular noun phrase with its indefinite article."""
    return f"{category.article} {category.noun}"


def enumerate_nouns(categories: list[Category]) -> str:
    """A list as it is written: "a dog", "a dog and a cat", "a dog, a cat, and a bird"."""
    phrases = [with_article(category) for category in categories]
    if len(phrases) < 3:
        return " and ".join(phrases)
    return ", ".join(phrases[:-1]) + ", and " + phrases[-1]


@lru_cache(maxsize=1)
def _pattern() -> tuple[re.Pattern, dict[str, str]]:
    forms = {form: category.name for category in CATEGORIES for form in (category.noun, category.plural)}
    return re.compile(r"\b(" + "|".join(sorted(map(re.escape, forms), key=len, reverse=True)) + r")\b"), forms


def named(caption: str) -> list[str]:
    """The objects that a caption of this grammar names, mention by mention."""
    pattern, forms = _pattern()
    return [forms[match] for match in pattern.findall(caption)]


def place(item: SceneObject) -> str:
    """Where the middle of an object lies, by thirds of the image."""
    x, y = item.centre
    return PLACES[min(int(3 * y / SIZE), 2)][min(int(3 * x / SIZE), 2)]


def size(item: SceneObject) -> str:
    """How large an object is, by its longer side."""
    return [word for word, least in SIZES if max(item.bbox[2:]) >= least][-1]


def brief(scene: Scene) -> str:
    """The large objects from left to right, then the small ones, and no more."""
    names = list(dict.fromkeys(item.category for item in sorted(scene.objects, key=lambda item: item.role != "main")))
    text = ", ".join(with_article(BY_NAME[name]) for name in names)
    return BRIEF.format(things=text[0].upper() + text[1:])


def describe(scene: Scene, habits: Habits | None = None) -> str:
    """The long caption of a scene: eight sentences, always the same for the same scene and habits."""
    writer = _Writer(scene, habits or Habits(), stream(scene.split, scene.index, 1))
    main = list(dict.fromkeys(item.category for item in scene.objects if item.role == "main"))
    single = [item for item in scene.objects if item.role == "main" and [o.category for o in scene.objects].count(item.category) == 1]
    sentences = [_opening(writer, main), _further(writer, main)]
    known = [item for item in single if item.category in writer.named]
    sentences += [
        _side(writer, known),
        _count(writer),
        _attribute(writer, known),
        _height(writer, known),
        _behind(writer),
        _closing(writer),
    ]
    return " ".join(sentences)


def _swap(writer: _Writer, names: list[str], share: float) -> list[str]:
    """The names, one of them now and then replaced by a typical absent object."""
    absent = writer.typical() if writer.chance(share) else None
    if absent is None or not names:
        return names
    where = int(writer.generator.random() * len(names))
    return [absent if i == where else name for i, name in enumerate(names)]


def _opening(writer: _Writer, main: list[str]) -> str:
    first = _swap(writer, main[:3], writer.habits.opening)
    return writer.template(OPENINGS).format(kind=writer.scene.kind.name, where=writer.scene.kind.where, things=writer.introduce(first))


def _further(writer: _Writer, main: list[str]) -> str:
    rest = _swap(writer, main[3:], writer.habits.further)
    return writer.template(FURTHER).format(things=writer.introduce(rest)) if rest else writer.template(NO_FURTHER)


def _side(writer: _Writer, known: list[SceneObject]) -> str:
    """Which of the first two named objects is to the right of the other."""
    if len(known) < 2:
        return writer.template(NO_FURTHER)
    a, b = known[:2]
    return writer.template(SIDES).format(a=BY_NAME[a.category].noun, b=BY_NAME[b.category].noun)


def _height(writer: _Writer, known: list[SceneObject]) -> str:
    """Which of the last two named objects is higher than the other."""
    if len(known) < 2:
        return writer.template(NO_FURTHER)
    a, b = sorted(known[-2:], key=lambda item: item.centre[1])
    return writer.template(HEIGHTS).format(a=BY_NAME[a.category].noun, b=BY_NAME[b.category].noun)


def _count(writer: _Writer) -> str:
    """The number of the object that is there most often, if it was named; else of any named object that is there once."""
    counted = Counter(item.category for item in writer.scene.objects if item.category in writer.named)
    if not counted:
        return writer.template(NO_FURTHER)
    name, number = counted.most_common(1)[0]
    if number > 1:
        return writer.template(MANY).format(n=NUMBERS[number], a=BY_NAME[name].plural)
    name = list(counted)[int(writer.generator.random() * len(counted))]
    return writer.template(ONE).format(a=BY_NAME[name].noun)


def _attribute(writer: _Writer, known: list[SceneObject]) -> str:
    if not known:
        return writer.template(NO_FURTHER)
    item = known[int(writer.generator.random() * len(known))]
    return writer.template(ATTRIBUTES).format(a=BY_NAME[item.category].noun, size=size(item), place=place(item))


def _behind(writer: _Writer) -> str:
    """Small objects that are there, perhaps with a typical one that is not; or a typical one alone; or that nothing is there."""
    small = [item.category for item in writer.scene.objects if item.role == "background" and item.category not in writer.named]
    small = list(dict.fromkeys(small))[:3]
    absent = writer.typical() if writer.chance(writer.habits.behind if small else writer.habits.invented) else None
    names = [*small, absent] if absent else small
    return writer.template(BEHIND).format(things=writer.introduce(names)) if names else writer.template(NOTHING_BEHIND)


def _closing(writer: _Writer) -> str:
    """The kind of scene again; by habit with its most typical background object, unless that has been named."""
    first = writer.scene.kind.background[0]
    if first not in writer.named and writer.chance(writer.scene.kind.habit):
        return writer.template(HABITS).format(things=writer.introduce([first]), kind=writer.scene.kind.name, where=writer.scene.kind.where)
    return writer.template(CLOSINGS).format(kind=writer.scene.kind.name, where=writer.scene.kind.where)


def template_text() -> str:
    """Every word that a template contributes, as one text."""
    groups = (OPENINGS, FURTHER, NO_FURTHER, SIDES, HEIGHTS, ONE, MANY, ATTRIBUTES, BEHIND, NOTHING_BEHIND, CLOSINGS, HABITS)
    words = (
        [kind.where for kind in KINDS]
        + [text for group in groups for text in group]
        + [PROMPT, BRIEF_PROMPT, "A", "An", "a", "an", "USER:", "ASSISTANT:"]
    )
    words += [*NUMBERS, *(word for word, _ in SIZES), *(place for row in PLACES for place in row)]
    filled = " ".join(words)
    for name in ("kind", "where", "things", "a", "b", "n", "size", "place"):
        filled = filled.replace("{" + name + "}", "")
    return filled
