"""A caption as marked words: which name an object that is not in the image, and which belong to a run of four that occurred before."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from analysis.metrics.chair import score_caption

PLAIN, ABSENT, AGAIN = "plain", "absent", "again"
RUN = 4
_UNIT = re.compile(r"[\w'-]+|[^\w\s]")


@dataclass(frozen=True)
class MarkedWord:
    """A word with the marks behind it, as the text has it, and what it is."""

    text: str
    kind: str


def marked(caption: str, truth: Collection[str]) -> list[MarkedWord]:
    """The words of a caption in order; that an object is absent counts more than that a run repeats."""
    absent = [(m.start, m.end) for m in score_caption(caption, truth).mentions if m.hallucinated]
    again = repeated_spans(caption)
    words = []
    for found in re.finditer(r"\S+", caption):
        over = [kind for kind, spans in ((ABSENT, absent), (AGAIN, again)) if any(a < found.end() and b > found.start() for a, b in spans)]
        words.append(MarkedWord(found[0], over[0] if over else PLAIN))
    return words


def repeated_spans(caption: str) -> list[tuple[int, int]]:
    """Characters of each run of four words or marks that occurred before in the caption (as `probes.sentences.repeated_ngrams` counts)."""
    units = list(_UNIT.finditer(caption.lower()))
    seen: set[tuple[str, ...]] = set()
    spans = []
    for i in range(len(units) - RUN + 1):
        run = tuple(unit[0] for unit in units[i : i + RUN])
        if run in seen:
            spans.append((units[i].start(), units[i + RUN - 1].end()))
        seen.add(run)
    return spans


def lines(words: Sequence[MarkedWord], width: int, most: int) -> list[list[MarkedWord]]:
    """Words in lines of so many characters, `most` lines; what is left is told by three dots."""
    made: list[list[MarkedWord]] = [[]]
    for word in words:
        used = sum(len(other.text) + 1 for other in made[-1])
        if made[-1] and used + len(word.text) > width:
            made.append([])
        made[-1].append(word)
    if len(made) > most:
        made = made[:most]
        made[-1] = [*made[-1][:-1], MarkedWord("...", PLAIN)]
    return made
