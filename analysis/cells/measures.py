"""Counts of a caption, and the measures that are ratios of summed counts.

Every measure of the ablation is a ratio of sums over images, so that one matrix product of counts gives all of them, in every resample.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from analysis.captions.caption_measure import TEXT, CaptionMeasure, common, of_counts, ratios_of, weights_of
from analysis.captions.counts import ALL_COUNTS, counts_of
from analysis.captions.equal_lengths import Said
from analysis.cells.names import RECEIPTS
from analysis.metrics.chair import score_caption
from analysis.words.words import words

COUNTS = (*ALL_COUNTS, "ended", "tokens", "steps", *RECEIPTS)


MEASURES = {
    **common("chair_i", "chair_s", "recall", "precision", "f1", "hazard"),
    "length": of_counts("length", "words", "length", "captions"),
    **common("mentions", "objects"),
    # CHAIR_i counts every mention: naming true objects again and again lowers it
    "repeated_mentions": CaptionMeasure(
        "repeated mentions", "1", {"mentions": 1.0, "objects": -1.0}, {"mentions": 1.0}, higher_is_better=False
    ),
    **TEXT,
    "ended": of_counts("ended by itself", "1", "ended", "captions"),
    "steps": of_counts("decode steps", "1 a caption", "steps", "captions", False),
    "rate": of_counts("mean rate", "1", "rate", "steps", False),
    "floor": of_counts("rates on the floor", "1", "floor", "steps", False),
    "ceiling": of_counts("rates on the ceiling", "1", "ceiling", "steps", False),
    "change_keys": of_counts("relative change of keys", "1", "change_keys", "steps", False),
    "change_values": of_counts("relative change of values", "1", "change_values", "steps", False),
}
TESTED = tuple(name for name, measure in MEASURES.items() if measure.tested)


def weights(part: str) -> Float[np.ndarray, "count measure"]:
    """`weights_of` the measures here, in the order of MEASURES."""
    return weights_of(part, COUNTS, MEASURES)


def measures(total: Float[np.ndarray, "*draw count"]) -> Float[np.ndarray, "*draw measure"]:
    """`ratios_of` the measures here, in the order of MEASURES."""
    return ratios_of(total, COUNTS, MEASURES)


@dataclass(frozen=True)
class CellCaptions:
    """What the captions of one cell amount to.

    Attributes
    ----------
    counts : each image's contribution to COUNTS; rates, shares and changes are multiplied by the image's steps, so that their sums over
        images can be divided by the sum of steps
    absent : by mention, 1 if the object is not there, 0 if it is, -1 past the last mention
    word : by mention, which word of the caption it is, from 0; -1 past the last mention
    """

    counts: Float[np.ndarray, "image count"]
    absent: Int[np.ndarray, "image mention"]
    word: Int[np.ndarray, "image mention"]

    @property
    def said(self) -> Said:
        """As `analysis.captions.equal_lengths` takes them."""
        mentions, words = (self.counts[:, COUNTS.index(name)] for name in ("mentions", "length"))
        return Said(mentions, words, self.absent, self.word)


def spoken(result: Mapping, truth: Iterable[frozenset[str]]) -> CellCaptions:
    """The counts of a finished cell against the objects of its images, in their order."""
    counts, absent, word = [], [], []
    for i, (text, there) in enumerate(zip(result["captions"], truth, strict=True)):
        record = score_caption(text, there)
        place = {read.start: number for number, read in enumerate(words(text))}
        steps = result["steps"][i]
        own = [result["ended"][i], result["tokens"][i], steps, *(result[name][i] * steps for name in RECEIPTS)]
        counts.append([*counts_of(record), *own])
        absent.append([int(mention.hallucinated) for mention in record.mentions])
        word.append([place[mention.start] for mention in record.mentions])
    return CellCaptions(np.array(counts, dtype=float).reshape(-1, len(COUNTS)), padded(absent), padded(word))


def padded(rows: list[list[int]], width: int = 0) -> Int[np.ndarray, "row width"]:
    """Lists of different lengths as one array, -1 behind their ends."""
    width = max([width, *map(len, rows)])
    return np.array([row + [-1] * (width - len(row)) for row in rows], dtype=np.int16).reshape(len(rows), width)
