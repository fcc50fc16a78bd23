"""The object mentions of captions as arrays, in the order in which each caption makes them: all that an omission needs to know."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int

from analysis.metrics.chair import ChairRecord

SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s)|\n+")
BACKGROUND = re.compile(r"\b(?:background|distance|nearby|scattered)\b", re.IGNORECASE)
"""Words by which a sentence says that it turns from the main objects to others."""


@dataclass(frozen=True)
class Mentions:
    """Mentions of many captions, one caption an image; rows are filled up behind the last mention.

    Attributes
    ----------
    object : a number an object, any numbering; -1 behind the last mention
    absent : the object is not in the image
    sentence : which sentence of the caption names it, from 0
    background : it is named where the caption speaks of the background
    truth : objects in the image
    """

    object: Int[np.ndarray, "caption mention"]
    absent: Bool[np.ndarray, "caption mention"]
    sentence: Int[np.ndarray, "caption mention"]
    background: Bool[np.ndarray, "caption mention"]
    truth: Int[np.ndarray, " caption"]

    @property
    def there(self) -> Bool[np.ndarray, "caption mention"]:
        """Where a row holds a mention."""
        return self.object >= 0

    @property
    def first(self) -> Int[np.ndarray, "caption mention"]:
        """By mention, the place of the first mention of the same object in its caption; its own place behind the last mention."""
        same = (self.object[:, :, None] == self.object[:, None, :]) & self.there[:, None, :]
        return np.where(self.there, same.argmax(2), np.arange(self.object.shape[1]))

    @property
    def fresh(self) -> Bool[np.ndarray, "caption mention"]:
        """Where a caption names an object for the first time."""
        return self.there & (self.first == np.arange(self.object.shape[1]))


def mentions_of(records: Sequence[ChairRecord], captions: Sequence[str]) -> Mentions:
    """The mentions of scored captions; a sentence that has a word of `BACKGROUND` speaks of the background."""
    numbers: dict[str, int] = {}
    rows = []
    for record, text in zip(records, captions, strict=True):
        ends = [end.end() for end in SENTENCE_END.finditer(text)]
        edges = [0, *ends, len(text)]
        behind = [bool(BACKGROUND.search(text[a:b])) for a, b in pairwise(edges)]
        told = []
        for mention in record.mentions:
            sentence = int(np.searchsorted(ends, mention.start, side="right"))
            told.append((numbers.setdefault(mention.object, len(numbers)), mention.hallucinated, sentence, behind[sentence]))
        rows.append(told)
    return mentions_from(rows, [len(record.truth) for record in records])


def mentions_from(rows: Sequence[Sequence[tuple[int, bool, int, bool]]], truth: Sequence[int]) -> Mentions:
    """From lists: by caption, in order, each mention as (object, absent, sentence, background); and how many objects each image has."""
    width = max([1, *map(len, rows)])
    filled = np.array([[*row, *[(-1, False, -1, False)] * (width - len(row))] for row in rows], dtype=int).reshape(len(rows), width, 4)
    return Mentions(filled[..., 0], filled[..., 1] > 0, filled[..., 2], filled[..., 3] > 0, np.asarray(truth, dtype=int))
