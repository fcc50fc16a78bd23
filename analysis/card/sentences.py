"""Whether sentences are such that the grammar of smollm2's training captions can write them, and whether they are true of their scene."""

from collections import Counter
from collections.abc import Iterable

from probes.subjects.emoji.reading import sentences
from probes.subjects.emoji.scenes import Scene
from probes.subjects.smollm2.reading import holds, read

KINDS = {
    "any": "any sentence",
    "opening": "an opening with the place",
    "further": "the other large objects",
    "place": "where an object is",
    "colour": "its colour",
    "size": "its size",
    "one": "that there is one",
    "many": "how many",
    "side": "to the right or left of",
    "height": "higher or lower than",
    "larger": "larger or smaller than",
    "activity": "what one does there",
    "mood": "a mood",
    "behind": "the background",
    "nothing": "nothing in the background",
    "closing": "a closing",
}
TWO = ("side", "height", "larger")


def shares(captions: Iterable[str], drawn: Iterable[Scene]) -> dict[str, float]:
    """By kind of sentence: how many a caption has, the share of them that is true, and that compares an object with itself.

    "any": all sentences of the captions; true where the grammar can write one and it holds. "written" is the share of all sentences that
    have a form of the grammar, whatever fills it.
    """
    total: Counter = Counter()
    n = 0
    for caption, scene in zip(captions, drawn, strict=True):
        n += 1
        for sentence in sentences(caption):
            total["any"] += 1
            if (found := read(sentence)) is None:
                continue
            kind, slots = found
            true, itself = holds(scene, kind, slots), kind in TWO and slots["a"] == slots["b"]
            for name in ("any", kind):
                total[name, "true"] += true
                total[name, "itself"] += itself
            total[kind] += 1
            total["written"] += 1
    result = {"written": _share(total["written"], total["any"])}
    for kind in KINDS:
        result[f"{kind}_claims"] = _share(total[kind], n)
        result[f"{kind}_true"] = _share(total[kind, "true"], total[kind])
        result[f"{kind}_itself"] = _share(total[kind, "itself"], total[kind])
    return result


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
