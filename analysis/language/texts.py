"""The texts that are read, and their tokens: those that the project brings, or a file of the user's."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from analysis.cells.classes import CLASSES, kind
from analysis.datasets.files import json_objects, text_of
from probes.command.cli import BadInput, Notice
from probes.command.values import given_text

DATA = Path(__file__).parent / "data"
OWN, CAPTIONS = DATA / "paragraphs.txt", DATA / "captions.jsonl"
BROUGHT = {"paragraphs": OWN, "captions": CAPTIONS}
"""By the name that `--texts` takes: sixty paragraphs of the project's own, and captions of the bundled subjects without smoothing
(`analysis.language.captions`)."""
DISTANCES = ("1 to 4", "5 to 9", "10 to 19", "20 and more")
"""Tokens since the last end of a sentence."""
_LIMITS = (5, 10, 20)
JSON = (".jsonl", ".json")


class GivenText(NamedTuple):
    """A text, and the image that it is of, where it is known: texts of the same image are one unit of the statistics."""

    text: str
    image: str | None = None


def read_texts(path: Path) -> list[GivenText]:
    """The texts of a file, or of a name in `BROUGHT`; one that stands there again is left out, which a `Notice` tells.

    A file holds JSON lines or a JSON list with "caption" or "text", and perhaps "image_id", by its ending; or paragraphs that blank lines
    part.

    Raises
    ------
    BadInput : the file cannot be read, or holds no text
    """
    path = BROUGHT.get(str(path), path)
    if path.suffix.lower() in JSON:
        found = [GivenText(_said(line, where), _image(line)) for where, line in json_objects(path)]
    else:
        try:
            found = [GivenText(part) for part in re.split(r"\n\s*\n", given_text(path, "utf-8-sig"))]
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                f"--texts {path}: cannot be read ({type(error).__name__}); give a file of paragraphs or of JSON lines."
            ) from error
    if not (texts := [one._replace(text=text) for one in found if (text := " ".join(one.text.split()))]):
        raise BadInput(f"--texts {path}: holds no text; give paragraphs that blank lines part, or JSON lines with a caption each.")
    first: dict[str, GivenText] = {}
    for one in texts:
        first.setdefault(one.text, one)
    apart = list(first.values())
    if again := len(texts) - len(apart):
        told = f"--texts {path}: {again} of {len(texts)} texts stand there before; each is read once, as texts count as independent."
        warnings.warn(told, Notice, stacklevel=2)
    return apart


def _said(line: dict[str, Any], where: str) -> str:
    return whole(text_of(line, "text" if "text" in line and "caption" not in line else "caption", where))


def _image(line: dict[str, Any]) -> str | None:
    return None if line.get("image_id") is None else str(line["image_id"])


def whole(text: str) -> str:
    """A text as a tokenizer takes it: half a character, as JSON lets a text be cut, is the sign for an unknown one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(frozen=True)
class TokenizedText:
    """One text as tokens, each with what it is.

    Attributes
    ----------
    number : of the text in its file, from 0
    ids : tokens, one that begins every text of the model included
    kinds : number of each token's kind in CLASSES
    distances : number in DISTANCES of how far behind the last end of a sentence it stands
    """

    number: int
    ids: Int[Tensor, " token"]
    kinds: Int[Tensor, " token"]
    distances: Int[Tensor, " token"]


def tokenized(texts: Sequence[str], tokenizer: Any, longest: int, least: int) -> list[TokenizedText]:
    """Texts as tokens, cut to `longest`; those shorter than `least` are left out."""
    found = []
    for number, text in enumerate(texts):
        ids = tokenizer(whole(text), add_special_tokens=False)["input_ids"]
        # what the tokenizer itself begins a text with, such as <s>
        first = tokenizer("", add_special_tokens=True)["input_ids"][:1]
        start = [*(first if first and first[0] == tokenizer.bos_token_id else []), *ids][:longest]
        if len(start) >= least:
            tensor = torch.tensor(start)
            found.append(TokenizedText(number, tensor, kinds(tokenizer, start), distances(tokenizer, start)))
    return found


def kinds(tokenizer: Any, ids: Sequence[int]) -> Int[Tensor, " token"]:
    """Number in CLASSES of each token."""
    special = set(tokenizer.all_special_ids)
    return torch.tensor([CLASSES.index("special" if token in special else kind(tokenizer, token)) for token in ids])


def distances(tokenizer: Any, ids: Sequence[int]) -> Int[Tensor, " token"]:
    """Number in DISTANCES of each token; the beginning of the text counts as the end of a sentence."""
    found, since = [], 0
    for token in ids:
        since += 1
        found.append(sum(since >= limit for limit in _LIMITS))
        if tokenizer.decode([token]).strip()[-1:] in {".", "!", "?"}:
            since = 0
    return torch.tensor(found)
