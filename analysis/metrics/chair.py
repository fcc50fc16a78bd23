"""CHAIR: which objects a caption names, which of them are not in the image, and which of the image's objects it names.

Rohrbach et al. 2018, "Object Hallucination in Image Captioning"; precision and F1 as PAI adds them (Liu et al. 2024): both over
the distinct objects of a caption, summed over captions before dividing. Word handling: ``analysis.metrics.words``.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from analysis.metrics.words import synonyms, words

COUNTS = ("captions", "hallucinating", "mentions", "hallucinated", "recalled", "truth", "objects", "length")
RATIOS = {
    "chair_s": ("hallucinating", "captions", "there is no caption"),
    "chair_i": ("hallucinated", "mentions", "no caption names an object"),
    "recall": ("recalled", "truth", "no image has an object"),
    "precision": ("recalled", "objects", "no caption names an object"),
    "length": ("length", "captions", "there is no caption"),
    "mentions": ("mentions", "captions", "there is no caption"),
}


@dataclass(frozen=True)
class Mention:
    """One object mention: the word as read, COCO's name for it, its characters in the caption, and whether it is absent."""

    word: str
    object: str
    start: int
    end: int
    hallucinated: bool


@dataclass(frozen=True)
class ChairRecord:
    """What one caption says of one image.

    Parameters
    ----------
    image_id
        The image.
    mentions
        Every mention, in order; an object that is named twice counts twice.
    recalled
        The image's objects that the caption names, sorted.
    truth
        The image's objects, sorted.
    length
        Words and marks of punctuation after merging two-word objects.
    """

    image_id: int
    mentions: tuple[Mention, ...]
    recalled: tuple[str, ...]
    truth: tuple[str, ...]
    length: int

    @property
    def counts(self) -> tuple[int, ...]:
        """The caption's contribution to each of ``COUNTS``."""
        absent = sum(mention.hallucinated for mention in self.mentions)
        distinct = len({mention.object for mention in self.mentions})
        return (1, int(absent > 0), len(self.mentions), absent, len(self.recalled), len(self.truth), distinct, self.length)


@dataclass(frozen=True)
class ChairScore:
    """CHAIR over many captions, as fractions; a ratio whose denominator is zero is NaN, and ``reasons`` says why."""

    chair_s: float
    chair_i: float
    recall: float
    precision: float
    f1: float
    length: float
    mentions: float
    n: int
    reasons: dict[str, str] = field(default_factory=dict)


def score_caption(caption: str, truth: Iterable[str], image_id: int = 0) -> ChairRecord:
    """The record of one caption against the objects that are in its image (COCO's names)."""
    table, there, read = synonyms(), frozenset(truth), words(caption)
    mentions = tuple(Mention(w.text, table[w.text], w.start, w.end, table[w.text] not in there) for w in read if w.text in table)
    recalled = sorted({mention.object for mention in mentions} & there)
    return ChairRecord(image_id, mentions, tuple(recalled), tuple(sorted(there)), len(read))


def ground_truth(annotations: Mapping, captions: Iterable[tuple[int, str]] = ()) -> dict[int, frozenset[str]]:
    """The objects of each image: its annotated instances (crowds included) and what people's captions of it name.

    Parameters
    ----------
    annotations
        COCO's instances format: ``images``, ``annotations``, ``categories``.
    captions
        Pairs of image id and a person's caption.
    """
    table = synonyms()
    names = {category["id"]: table[category["name"]] for category in annotations["categories"]}
    found: dict[int, set[str]] = {image["id"]: set() for image in annotations["images"]}
    for item in annotations["annotations"]:
        found.setdefault(item["image_id"], set()).add(names[item["category_id"]])
    for image_id, caption in captions:
        found.setdefault(image_id, set()).update(table[word.text] for word in words(caption) if word.text in table)
    return {image_id: frozenset(objects) for image_id, objects in found.items()}


def count(records: Iterable[ChairRecord]) -> Float[np.ndarray, "caption count"]:
    """The captions' contributions to ``COUNTS``: what a bootstrap over images resamples."""
    return np.array([record.counts for record in records], dtype=float).reshape(-1, len(COUNTS))


def ratios(total: Float[np.ndarray, "*draw count"]) -> dict[str, Float[np.ndarray, "*draw"]]:
    """The measures from summed counts, F1 = 2PR / (P + R) among them; NaN where a denominator is zero."""
    column = dict(zip(COUNTS, np.moveaxis(np.asarray(total, dtype=float), -1, 0), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {name: np.asarray(column[above] / column[below]) for name, (above, below, _) in RATIOS.items()}
        found["f1"] = np.asarray(2 * found["precision"] * found["recall"] / (found["precision"] + found["recall"]))
    return found


def aggregate(records: Iterable[ChairRecord]) -> ChairScore:
    """CHAIR over many captions; each caption counts, also several of one image."""
    counts = count(records)
    total = counts.sum(0)
    found = {name: float(value) for name, value in ratios(total).items()}
    reasons = {name: RATIOS[name][2] for name in RATIOS if math.isnan(found[name])}
    if math.isnan(found["f1"]):
        reasons["f1"] = "no caption names an object that is there"
    return ChairScore(**found, n=len(counts), reasons=reasons)
