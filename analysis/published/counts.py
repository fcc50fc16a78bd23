"""What one caption comes to: CHAIR's counts, text quality among them, thirds; and, mention by mention, which object where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from analysis.captions.shares import THIRDS, third
from analysis.metrics.chair import COUNTS, ChairRecord
from analysis.omission.mentions import Mentions, mentions_of
from analysis.words.readers import Reader

COLUMNS = (*COUNTS, "at_risk", *(f"{what}_{part}" for part in THIRDS for what in ("mentions", "hallucinated")))
PLACES = ("object", "absent", "sentence", "background", "word")
"""Of each mention: the object's number, whether it is not there, in which sentence, of the background, and which word of the caption."""


@dataclass(frozen=True)
class Spoken:
    """What a log's captions come to, one an image, sorted by image.

    Attributes
    ----------
    images : their numbers
    counts : each caption's contribution to `COLUMNS`
    places : each caption's mentions in order, the values of `PLACES`; -1 behind the last mention
    """

    images: Int[np.ndarray, " image"]
    counts: Float[np.ndarray, "image count"]
    places: Int[np.ndarray, "image mention place"]

    @property
    def mentions(self) -> Mentions:
        """The mentions as `analysis.omission` takes them."""
        named = {name: self.places[..., i] for i, name in enumerate(PLACES)}
        truth = self.counts[:, COLUMNS.index("truth")].astype(int)
        return Mentions(named["object"], named["absent"] > 0, named["sentence"], named["background"] > 0, truth)

    def on(self, images: Int[np.ndarray, " other"]) -> "Spoken":
        """The captions of these images, all of which are there."""
        at = np.searchsorted(self.images, images)
        return Spoken(self.images[at], self.counts[at], self.places[at])


def spoken(records: Sequence[ChairRecord], captions: Sequence[str], reader: Reader, numbers: Mapping[str, int]) -> Spoken:
    """Scored captions of different images, reduced.

    Parameters
    ----------
    reader : that they were scored by
    numbers : of the objects
    """
    order = np.argsort([record.image_id for record in records], kind="stable")
    records, captions = [records[i] for i in order], [captions[i] for i in order]
    counts = [_counts(record, text) for record, text in zip(records, captions, strict=True)]
    found = mentions_of(records, captions)
    places = np.full((len(records), found.object.shape[1], len(PLACES)), -1, dtype=np.int64)
    places[..., 2], places[..., 3] = np.where(found.there, found.sentence, -1), np.where(found.there, found.background, -1)
    for row, (record, text) in enumerate(zip(records, captions, strict=True)):
        word = {read.start: number for number, read in enumerate(reader.words(text))}
        for column, mention in enumerate(record.mentions):
            places[row, column, [0, 1, 4]] = numbers[mention.object], int(mention.hallucinated), word[mention.start]
    images = np.array([record.image_id for record in records], dtype=np.int64)
    return Spoken(images, np.array(counts, dtype=float).reshape(-1, len(COLUMNS)), places)


def _counts(record: ChairRecord, text: str) -> tuple[int, ...]:
    absent = [mention.hallucinated for mention in record.mentions]
    at_risk = absent.index(True) + 1 if any(absent) else len(absent)
    parts = dict.fromkeys(COLUMNS[-2 * len(THIRDS) :], 0)
    for mention in record.mentions:
        where = third(mention.start, len(text))
        parts[f"mentions_{where}"] += 1
        parts[f"hallucinated_{where}"] += int(mention.hallucinated)
    return (*record.counts, at_risk, *parts.values())
