"""How a caption is written, whatever it names: repetition, variety, and whether it loops.

CHAIR reads objects alone: "a spoon, a spoon, a spoon" is three true mentions. These counts stand beside it, made of the text and its
mentions, without a model; what a language model finds improbable is `analysis.language`'s to say.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from analysis.metrics.metric import Measure
from probes.sentences import repeated_ngrams, repeated_sentences

TEXT_COUNTS = ("sentences", "repeated", "4grams", "repeated_4grams", "2grams", "distinct_2grams", "echoes", "looping", "unfinished")
"""Of a caption: sentences and those that repeat an earlier one; runs of four words and those that occurred before; runs of two and the
different ones; mentions of the object that the sentence named last; whether it loops; whether it stops in mid-sentence."""

TEXT_RATIOS = {
    "repeated_sentences": ("repeated", "sentences", "no caption has a sentence"),
    "repeated_4grams": ("repeated_4grams", "4grams", "no caption has four words"),
    "distinct_2": ("distinct_2grams", "2grams", "no caption has two words"),
    "echoes": ("echoes", "mentions", "no caption names an object"),
    "looping": ("looping", "captions", "there is no caption"),
    "unfinished": ("unfinished", "captions", "there is no caption"),
}
TEXT_MEASURES = {
    "repeated_sentences": Measure("repeated sentences", False),
    "repeated_4grams": Measure("repeated 4-grams", False),
    "distinct_2": Measure("distinct-2", True),
    "echoes": Measure("named again at once", False),
    "looping": Measure("looping captions", False),
    "unfinished": Measure("unfinished", False),
}

LOOP = 0.1
"""A caption loops when more than this share of its runs of four words occurred before in it. Of greedy captions of LLaVA-1.5 and of the
bundled subjects without smoothing about one in a hundred does."""

_END = re.compile(r"[.!?][\"')\]*]*\s*$")
_MARK = re.compile(r"[.!?]")


@runtime_checkable
class Mentioned(Protocol):
    """A mention, as `analysis.metrics.chair` finds it."""

    @property
    def object(self) -> str:
        """The object's name."""

    @property
    def start(self) -> int:
        """Its first character."""


def text_counts(text: str, mentions: Sequence[Mentioned]) -> tuple[int, ...]:
    """A caption's contribution to each of `TEXT_COUNTS`.

    Parameters
    ----------
    text : the caption, as it was decoded
    mentions : its object mentions, in order
    """
    runs, again = repeated_ngrams(text, 4)
    pairs, paired = repeated_ngrams(text, 2)
    looping = again > LOOP * runs
    return (*repeated_sentences(text), runs, again, pairs, pairs - paired, echoes(text, mentions), int(looping), int(unfinished(text)))


def echoes(text: str, mentions: Sequence[Mentioned]) -> int:
    """Mentions of the object that the mention before them named, with no end of a sentence between the two ("a spoon, a spoon")."""
    pairs = itertools.pairwise(mentions)
    return sum(one.object == other.object and not _MARK.search(text, one.start, other.start) for one, other in pairs)


def unfinished(text: str) -> bool:
    """Whether the text stops in mid-sentence; an empty one does not."""
    return bool(text.strip()) and not _END.search(text)
