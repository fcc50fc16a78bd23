"""Where captions name objects: in characters and in token steps; whether the object is in the image, and which mention of it that is.

A mention is CHAIR's (`analysis.metrics.chair`). Its step is the one that predicts its first sub-token: the model's state at that step has
not read any part of the name yet. Of "dining table" CHAIR reads the word "table"; its step is that of "dining", since behind it the name is
settled. Characters are booked to tokens by laying the tokenizer's pieces along the caption.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from analysis.metrics.chair import ChairMention, ground_truth, score_caption
from probes.command.cli import BadInput

if TYPE_CHECKING:
    import pandas

COLUMNS = ("image", "arm", "step", "last_step", "start", "end", "word", "object", "present", "repeated")

SPECIAL = re.compile(r"</?s>|<pad>|<unk>|<\|.*\|>")
"""Pieces that no text shows."""

TYPES = dict.fromkeys(("image", "step", "last_step", "start", "end", "repeated"), "int64") | {"present": "bool"}
"""Of the columns that are no text, whether there are mentions or not."""


@dataclass(frozen=True)
class CaptionMention:
    """One object mention of a caption.

    Attributes
    ----------
    word : as CHAIR reads it (a lemma, two-word objects merged)
    object : COCO's name
    start, end : its characters in the caption, end exclusive
    step : the step that predicts the first sub-token of the name, an index into the predicted tokens
    last_step : the step that predicts its last sub-token
    present : the object is in the image
    repeated : 1 for the object's first mention in this caption, 2 for its second, and so on
    """

    word: str
    object: str
    start: int
    end: int
    step: int
    last_step: int
    present: bool
    repeated: int


def mentions(subject: Any, tokens: Sequence[int], truth: frozenset[str]) -> list[CaptionMention]:
    """Every object mention of a caption, in its order.

    Parameters
    ----------
    subject : has `pieces(tokens)` and `text(tokens)`, as `probes.subjects.Subject` does
    tokens : the predicted ones, the end token included or not
    truth : the image's objects (COCO's names)
    """
    caption = subject.text(tokens)
    ends = piece_ends(subject.pieces(tokens), caption)
    return _found(caption, decoded_ends(subject, tokens) if ends is None else ends, truth)


def mention_table(recording: xr.Dataset, annotations: Mapping, subject: Any | None = None) -> "pandas.DataFrame":
    """Every object mention of every caption of a recording: `COLUMNS`, a row a mention, by arm, image and place.

    Parameters
    ----------
    recording : holds `caption`, `piece_predicted`, `token_predicted` and `n_steps`
    annotations : in COCO's instances format; images that it does not hold are left out
    subject : decodes captions along which their pieces cannot be laid; not needed for the others

    Raises
    ------
    BadInput : such a caption, and no subject
    """
    import pandas

    truth = ground_truth(annotations)
    arms, images = recording["arm"].values, recording["image"].values
    recording = recording.transpose("arm", "image", "step", ...)
    read = {name: recording[name].values for name in ("caption", "piece_predicted", "token_predicted", "n_steps")}
    rows = []
    for i, arm in enumerate(arms):
        for j, image in enumerate(images):
            n = int(read["n_steps"][i, j])
            if n < 1 or int(image) not in truth:
                continue
            caption = str(read["caption"][i, j])
            ends = piece_ends(read["piece_predicted"][i, j, :n].tolist(), caption)
            if ends is None:
                if subject is None:
                    raise BadInput(
                        f"mention_table: the pieces of image {image} in arm {arm} do not spell its caption; give the subject, whose "
                        "tokenizer decodes it."
                    )
                ends = decoded_ends(subject, read["token_predicted"][i, j, :n].tolist())
            for m in _found(caption, ends, truth[int(image)]):
                rows.append((int(image), str(arm), m.step, m.last_step, m.start, m.end, m.word, m.object, m.present, m.repeated))
    return pandas.DataFrame(rows, columns=list(COLUMNS)).astype(TYPES)


def piece_ends(pieces: Sequence[str], caption: str) -> list[int] | None:
    """Characters of the caption that have begun with each piece; None if the pieces do not spell the caption.

    Pieces that the text leaves out (special tokens) end where the one before did. Read are word marks (▁), byte-level alphabets (Ġ),
    byte pieces (<0x0A>), and text that the decoder has cleaned of blanks before a piece. Bytes that are no character, as a broken text
    has them, stand in the caption as the mark that decoding puts there.
    """
    text = caption.encode()
    level = any("Ġ" in piece for piece in pieces)
    place, places = 0, []
    for piece in pieces:
        spelled = _bytes_of(piece, level)
        bare = spelled.lstrip()
        gap = place + len(text[place:]) - len(text[place:].lstrip()) if text[place : place + 1].isspace() else place
        if spelled and text.startswith(spelled, place):
            place += len(spelled)
        elif bare and text.startswith(bare, gap):
            place = gap + len(bare)
        places.append(place)
    if text[place:].strip():
        return _replaced_ends(pieces, caption) if level else None
    begun = np.concatenate(([0], np.cumsum([(byte & 0xC0) != 0x80 for byte in text], dtype=int)))
    return begun[places].tolist()


def _replaced_ends(pieces: Sequence[str], caption: str) -> list[int] | None:
    """As `piece_ends`, of byte-level pieces whose bytes are no whole characters: every beginning is decoded as the text was."""
    spelled = [b"" if SPECIAL.fullmatch(piece) else _bytes_of(piece, True) for piece in pieces]
    whole = b"".join(spelled).decode(errors="replace")
    if whole.strip() != caption.strip():
        return None
    before = len(whole) - len(whole.lstrip()) - (len(caption) - len(caption.lstrip()))
    beginnings = (b"".join(spelled[: i + 1]).decode(errors="replace") for i in range(len(spelled)))
    return [min(max(len(beginning) - before, 0), len(caption)) for beginning in beginnings]


def decoded_ends(subject: Any, tokens: Sequence[int]) -> list[int]:
    """Characters of the caption up to and including each token, by decoding every beginning of it."""
    return [len(subject.text(tokens[: i + 1])) for i in range(len(tokens))]


def _found(caption: str, ends: Sequence[int], truth: frozenset[str]) -> list[CaptionMention]:
    named: Counter[str] = Counter()
    found = []
    for mention in score_caption(caption, truth).mentions:
        named[mention.object] += 1
        begin = _name_begin(caption, mention)
        first = next(i for i, end in enumerate(ends) if end > begin)
        last = next(i for i, end in enumerate(ends) if end >= mention.end)
        span = (mention.start, mention.end, first, last)
        found.append(CaptionMention(mention.word, mention.object, *span, not mention.hallucinated, named[mention.object]))
    return found


def _name_begin(caption: str, mention: ChairMention) -> int:
    """Where the object's name begins, if the caption says all of it and CHAIR reads its last word only."""
    head, _, tail = mention.object.rpartition(" ")
    said = re.search(rf"\b{re.escape(head)}\s+$", caption[: mention.start].lower()) if head and mention.word == tail else None
    return mention.start if said is None else said.start()


@lru_cache(maxsize=1 << 16)
def _bytes_of(piece: str, level: bool) -> bytes:
    """What a piece adds to the text, as bytes."""
    if level and all(mark in _level_bytes() for mark in piece):
        return bytes(_level_bytes()[mark] for mark in piece)
    if piece.startswith("<0x") and piece.endswith(">") and len(piece) == 6:
        return bytes([int(piece[3:5], 16)])
    return piece.replace("▁", " ").removeprefix("##").encode()


@lru_cache(maxsize=1)
def _level_bytes() -> dict[str, int]:
    """The byte behind each character of byte-level BPE: printable bytes stand for themselves, others follow from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}
