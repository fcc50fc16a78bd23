"""What one caption comes to: CHAIR's counts, text quality among them, thirds; and, mention by mention, which object where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from analysis.captions.counts import ALL_COUNTS, counts_of
from analysis.captions.shares import EXTRA, table
from analysis.metrics.chair import COUNTS, ChairRecord
from analysis.omission.mentions import Mentions, mentions_of
from analysis.words.readers import Reader

COLUMNS = (*ALL_COUNTS, *EXTRA)
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
    thirds = table(records, captions)[:, len(COUNTS) :]
    counts = np.concatenate([np.array([counts_of(record) for record in records], dtype=float).reshape(len(records), -1), thirds], 1)
    found = mentions_of(records, captions)
    places = np.full((len(records), found.object.shape[1], len(PLACES)), -1, dtype=np.int64)
    places[..., 2], places[..., 3] = np.where(found.there, found.sentence, -1), np.where(found.there, found.background, -1)
    for row, (record, text) in enumerate(zip(records, captions, strict=True)):
        word = {read.start: number for number, read in enumerate(reader.words(text))}
        for column, mention in enumerate(record.mentions):
            places[row, column, [0, 1, 4]] = numbers[mention.object], int(mention.hallucinated), word[mention.start]
    images = np.array([record.image_id for record in records], dtype=np.int64)
    return Spoken(images, counts.reshape(-1, len(COLUMNS)), places)
