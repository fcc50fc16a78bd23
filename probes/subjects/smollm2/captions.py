"""The captions that the subject is trained on: five to nine sentences, all of them true of the scene.

An opening names the place and the first large objects, in reading order. Then come the other large objects and, in any order and each
at most once, where an object is, how large, which colour, how many, how two of them lie to each other, what one does in such a place;
of objects that have been told of least. Late there is a
sentence on the small objects in the background, nearly always, since nearly every scene has some; most captions end with a closing
sentence. Nothing that is absent is ever named: what the trained subject makes up is its own.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from probes.subjects.emoji.scenes import Scene, SceneObject, stream
from probes.subjects.smollm2.colours import colour
from probes.subjects.smollm2.grammar import fill, pick
from probes.subjects.smollm2.phrases import PHRASES
from probes.subjects.smollm2.places import ACTIVITIES
from probes.subjects.smollm2.words import nouns, plural_of, with_article

PROMPT = "Please describe this image in detail."
SIDE = 8
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")
LENGTHS = {5: 0.05, 6: 0.1, 7: 0.25, 8: 0.35, 9: 0.25}
# kinds of sentence between the opening and the closing, by how often they are asked for
FILLERS = {"place": 1.2, "colour": 1.2, "side": 1.2, "height": 0.9, "count": 0.9, "activity": 0.9, "larger": 0.7, "size": 0.6, "mood": 0.5}
SYNONYM, CLOSING, BEHIND, NOTHING = 0.25, 0.85, 0.95, 0.3
# shares of the image's side: how far apart two objects must be, or how much larger one, before a caption compares them
APART, LARGER = 0.1, 0.08
# shares of the image's side: below the first an object is called small, from the second on large
SMALL, LARGE = 0.24, 0.31
PLACES = (("upper left", "upper part", "upper right"), ("left part", "center", "right part"), ("lower left", "lower part", "lower right"))
MOODS = ((0, ("calm", "quiet")), (6, ("ordinary", "pleasant")), (8, ("lively", "busy")))


def reading_order(scene: Scene) -> list[SceneObject]:
    """The objects row by row of patches, as the image's tokens come: from top to bottom, and from left to right in a row."""
    patch = scene.image.width / SIDE
    return sorted(scene.objects, key=lambda item: (int(item.centre[1] / patch), item.centre[0]))


@dataclass
class Writer:
    """One caption as it is written: the scene, the words chosen for its objects, what has been named and said."""

    scene: Scene
    generator: np.random.Generator
    named: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    used: set[str] = field(default_factory=set)
    chosen: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.counts = Counter(item.category for item in self.scene.objects)
        self.size = self.scene.image.width
        ordered = reading_order(self.scene)
        large = dict.fromkeys(item.category for item in ordered if item.role == "main")
        self.large = list(large)
        self.small = [name for name in dict.fromkeys(item.category for item in ordered) if name not in large]

    def noun(self, name: str) -> str:
        """The word of an object, the same throughout the caption."""
        if name not in self.chosen:
            words = nouns(name)
            further = len(words) > 1 and self.chance(SYNONYM)
            self.chosen[name] = words[int(self.generator.integers(1, len(words)))] if further else words[0]
        return self.chosen[name]

    def chance(self, share: float) -> bool:
        return bool(self.generator.random() < share)

    def single(self) -> list[SceneObject]:
        """Objects that have been named and are there once: "the dog" means one of them."""
        return [item for item in reading_order(self.scene) if item.category in self.named and self.counts[item.category] == 1]

    def things(self, names: list[str]) -> str:
        """The names as a list with articles or numbers; they count as named from here on."""
        self.named += names
        phrases = [
            with_article(self.noun(n)) if self.counts[n] == 1 else f"{NUMBERS[self.counts[n]]} {plural_of(n, self.noun(n))}" for n in names
        ]
        return " and ".join(phrases) if len(phrases) < 3 else ", ".join(phrases[:-1]) + ", and " + phrases[-1]

    def say(self, kind: str, **slots: str) -> str:
        """A sentence of that kind."""
        place = self.scene.kind
        return fill(pick(PHRASES[kind], self.generator, self.used), kind=place.name, where=place.where, **slots)


def describe(scene: Scene) -> str:
    """The caption of a scene, always the same for the same scene."""
    writer = Writer(scene, stream(scene.split, scene.index, 2))
    generator = writer.generator
    total = int(generator.choice(list(LENGTHS), p=list(LENGTHS.values())))
    first = min(len(writer.large), int(generator.integers(2, 4)))
    start = [writer.say("opening", things=writer.things(writer.large[:first]))] if first else []
    rest = writer.large[first:]
    groups = [rest[:2], rest[2:]] if len(rest) > 3 or (len(rest) > 2 and writer.chance(0.5)) else [rest]
    start += [writer.say("further", things=writer.things(group)) for group in groups if group]
    end, closing = [], writer.chance(CLOSING)
    behind = writer.chance(BEHIND if writer.small else NOTHING)
    room = max(total - len(start) - behind - closing, 1)
    middle = _fillers(writer, room)
    # the background comes after most of the other sentences, before what closes the caption
    late = len(middle) - int(generator.integers(0, 2)) if len(middle) > 1 else len(middle)
    if behind:
        end = [writer.say("behind", things=writer.things(writer.small[:3])) if writer.small else writer.say("nothing")]
    last = [writer.say("closing")] if closing else []
    return " ".join(start + middle[:late] + end + middle[late:] + last)


def _fillers(writer: Writer, count: int) -> list[str]:
    """So many sentences on what has been named, of different kinds, drawn at random."""
    weights = dict(FILLERS)
    found: list[str] = []
    while weights and len(found) < count:
        kinds = list(weights)
        share = np.array([weights[kind] for kind in kinds])
        kind = kinds[int(writer.generator.choice(len(kinds), p=share / share.sum()))]
        text = SENTENCES[kind](writer)
        del weights[kind]
        if text is not None:
            found.append(text)
    return found


def _pair(writer: Writer, measure, least: float) -> tuple[str, str] | None:
    """The words of two objects that differ enough in a measure, the smaller value first; of those told of least."""
    known = writer.single()
    pair = _least(writer, [(a, b) for a in known for b in known if measure(b) - measure(a) >= least * writer.size])
    return (writer.noun(pair[0].category), writer.noun(pair[1].category)) if pair else None


def _least(writer: Writer, groups: list[tuple[SceneObject, ...]]) -> tuple[SceneObject, ...] | None:
    """One of the groups of objects that have been told of least so far; they count as told of from here on."""
    if not groups:
        return None
    often = [sum(writer.told[item.category] for item in group) for group in groups]
    free = [group for group, times in zip(groups, often, strict=True) if times == min(often)]
    chosen = free[int(writer.generator.integers(len(free)))]
    writer.told.update(item.category for item in chosen)
    return chosen


def _side(writer: Writer) -> str | None:
    pair = _pair(writer, lambda item: item.centre[0], APART)
    return writer.say("side", a=head(pair[0]), b=head(pair[1])) if pair else None


def _height(writer: Writer) -> str | None:
    pair = _pair(writer, lambda item: item.centre[1], APART)
    return writer.say("height", a=head(pair[0]), b=head(pair[1])) if pair else None


def _larger(writer: Writer) -> str | None:
    pair = _pair(writer, lambda item: max(item.bbox[2:]), LARGER)
    return writer.say("larger", a=head(pair[1]), b=head(pair[0])) if pair else None


def _count(writer: Writer) -> str | None:
    known = list(dict.fromkeys(writer.named))
    if not known:
        return None
    several = [name for name in known if writer.counts[name] > 1]
    name = several[0] if several else known[int(writer.generator.integers(len(known)))]
    noun = writer.noun(name)
    if not several:
        return writer.say("one", a=noun)
    return writer.say("many", n=NUMBERS[writer.counts[name]], many=plural_of(name, noun))


def _one(writer: Writer, fits=lambda item: True) -> SceneObject | None:
    """One of the named objects that have been told of least."""
    found = _least(writer, [(item,) for item in writer.single() if fits(item)])
    return found[0] if found else None


def _place(writer: Writer) -> str | None:
    item = _one(writer)
    return writer.say("place", a=head(writer.noun(item.category)), place=place(item, writer.size)) if item else None


def _size(writer: Writer) -> str | None:
    item = _one(writer, lambda item: size(item, writer.size) is not None)
    return writer.say("size", a=head(writer.noun(item.category)), size=size(item, writer.size)) if item else None


def _colour(writer: Writer) -> str | None:
    item = _one(writer, lambda item: item.role == "main" and item.category != "person" and colour(item.glyph) is not None)
    return writer.say("colour", a=head(writer.noun(item.category)), colour=colour(item.glyph)) if item else None


def _activity(writer: Writer) -> str:
    known = ACTIVITIES[writer.scene.kind.name]
    return writer.say("activity", activity=known[int(writer.generator.integers(len(known)))])


def _mood(writer: Writer) -> str:
    words = [words for least, words in MOODS if len(writer.scene.objects) >= least][-1]
    return writer.say("mood", mood=words[int(writer.generator.integers(len(words)))])


def head(noun: str) -> str:
    """The noun behind "the": what is told of a pair of skis is told of the skis."""
    return noun.rpartition(" of ")[2] if noun.startswith("piece") else noun


def place(item: SceneObject, side: int) -> str:
    """Where the middle of an object lies, by thirds of an image of so many pixels."""
    x, y = item.centre
    return PLACES[min(int(3 * y / side), 2)][min(int(3 * x / side), 2)]


def size(item: SceneObject, side: int) -> str | None:
    """Whether an object is small or large, by its longer side as a share of the image's; None between the two."""
    share = max(item.bbox[2:]) / side
    return "small" if share < SMALL else "large" if share >= LARGE else None


SENTENCES = {
    "place": _place,
    "colour": _colour,
    "side": _side,
    "height": _height,
    "count": _count,
    "activity": _activity,
    "larger": _larger,
    "size": _size,
    "mood": _mood,
}
"""By kind of filler, what writes it; None where the scene gives no occasion."""
