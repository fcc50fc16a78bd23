"""The first captions of several arms as a language model reads them, and those of the first arm with their words shuffled."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.language.fluency import fluency, shuffled
from probes.command.cli import BadInput, Notice, one_line

if TYPE_CHECKING:
    from analysis.language.kept import Reader
    from analysis.language.models import LanguageModel

FIRST = 50
"""Captions of each arm that are read where nobody says how many."""
UNITS = {"units": "nat a token", "meaning": "mean over a caption's tokens under a language model that never saw the image"}


def unreadable(option: str = "--fluent") -> str:
    """Why the packaged language model cannot read, and what to do; "" if it can.

    Parameters
    ----------
    option : how many captions it reads
    """
    from probes.subjects.smollm2.base import gguf_file

    try:
        gguf_file()
    except BadInput as error:
        return f"{one_line(error).removeprefix('subject smollm2: ')}; or give {option} 0"
    return ""


def how_many(asked: int | None, option: str = "--fluent") -> int:
    """Captions of each arm that are read: as many as were asked for; else FIRST, or none with a `Notice` where none can be read.

    Raises
    ------
    BadInput : some were asked for, and none can be read
    """
    if asked == 0:
        return 0
    if why := unreadable(option):
        if asked is not None:
            raise BadInput(f"{option} {asked}: {why}.")
        warnings.warn(f"NLL and broken captions are left out: {why}.", Notice, stacklevel=2)
        return 0
    return FIRST if asked is None else asked


def first_captions(read: "LanguageModel | Reader", texts: Mapping[str, Sequence[str]], most: int, seed: int) -> dict[str, tuple]:
    """Variables `nll`, "arm image", and `nll_shuffled`, "image", in nat a token; NaN of captions that are not read.

    Parameters
    ----------
    read : the language model, or what keeps what it has read (`analysis.language.kept`)
    texts : captions of the same images by arm; the first arm is the one without the method, whose words are shuffled too
    most : captions of each arm that are read, the first ones
    seed : of the shuffling
    """
    plain = next(iter(texts))

    def nll_of(said: Sequence[str], name: str) -> np.ndarray:
        if not callable(read):
            return fluency(read, said, name=name)
        found = read(said, name)
        return np.array([found[text] for text in said])

    nll = np.full((len(texts), len(texts[plain])), np.nan, dtype=np.float32)
    for line, (name, said) in zip(nll, texts.items(), strict=True):
        line[:most] = nll_of(said[:most], name)
    other = np.full(len(texts[plain]), np.nan, dtype=np.float32)
    other[:most] = nll_of(shuffled(texts[plain][:most], seed), "shuffled")
    return {"nll": (("arm", "image"), nll, UNITS), "nll_shuffled": ("image", other, UNITS)}
