"""The class of every fed token of a recording, from the tokenizer's pieces alone."""

import string

import numpy as np
import xarray as xr
from jaxtyping import Int

from analysis.entropy.names import CLASSES, FIRST, FUNCTION_WORDS
from analysis.words.words import lemma, synonyms

MARKS = "Ġ▁ "
"""Signs that stand in place of the blank before a word's first piece, in byte-level and sentence-piece vocabularies."""


def classes(recording: xr.Dataset) -> Int[np.ndarray, "arm image step"]:
    """Index in CLASSES of the fed token of each step; -1 at step 0, which belongs to the prompt, after the end, and for special tokens.

    A word of several pieces is read as a whole and gives its class to all of them. A piece begins a word if it carries the sign of a blank
    or follows punctuation; in vocabularies without such signs every piece is a word. Names of two words ("hot dog") count by each word.
    """
    pieces = recording["piece_fed"].transpose("arm", "image", "step").values
    marked = any(str(piece)[:1] in MARKS for piece in pieces[:, :1].ravel() if str(piece))
    found = np.full(pieces.shape, -1, dtype=np.int64)
    known: dict[str, int] = {}
    for place in np.ndindex(pieces.shape[:2]):
        row = [str(piece) for piece in pieces[place]]
        start, word = 1, ""
        for step in range(1, len(row) + 1):
            piece = row[step] if step < len(row) else ""
            if step == len(row) or not piece or not marked or piece[0] in MARKS or _punctuation(piece) or _punctuation(word):
                if word:
                    if word not in known:
                        known[word] = kind(word)
                    found[(*place, slice(start, step))] = known[word]
                start, word = step, piece.lstrip(MARKS)
            else:
                word += piece
    early = found[:, :, 1 : 1 + FIRST]
    early[early >= 0] = CLASSES.index("first")
    return found


def kind(word: str) -> int:
    """Index in CLASSES of a word without its blank; -1 for special tokens such as "</s>"."""
    if word.startswith("<") and word.endswith(">"):
        return -1
    if _punctuation(word):
        return CLASSES.index("punctuation")
    small = word.lower()
    if lemma(small) in synonyms():
        return CLASSES.index("object")
    return CLASSES.index("function" if small in FUNCTION_WORDS else "content")


def _punctuation(word: str) -> bool:
    bare = word.lstrip(MARKS)
    return bool(bare) and all(character in string.punctuation for character in bare) and not (bare[0] == "<" and bare[-1] == ">")
