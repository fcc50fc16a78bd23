"""What language models think of captions: which of the validation scenes' are broken, and how fluent those of the test scenes are."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from analysis.language.fluency import fluency
from analysis.language.limits import broken, limit
from analysis.language.own import own_nll
from analysis.language.reading import first_captions

if TYPE_CHECKING:
    from analysis.language.models import LanguageModel


def broken_of(read: "LanguageModel", texts: Sequence[Sequence[str]], kept: Sequence[bool]) -> Float[np.ndarray, "dose scene"]:
    """Whether each caption is broken, beside those of the first dose; NaN of doses that are not kept, and of captions too short to read.

    Where the first dose is kept alone, nothing is read.
    """
    found = np.full((len(texts), len(texts[0])), np.nan, dtype=np.float32)
    if sum(kept) < 2:
        return found
    above = None
    for i, (own, fine) in enumerate(zip(texts, kept, strict=True)):
        if fine:
            nll = fluency(read, own, name=f"validation, dose {i}")
            above = limit(nll) if above is None else above
            found[i] = np.where(np.isfinite(nll), broken(own, nll, above), np.nan)
    return found


def fluency_of(read: "LanguageModel", captions: Mapping[str, list[str]], most: int, seed: int, material: Any) -> dict[str, tuple]:
    """NLL of the arms' first captions under the model and under the subject itself, the former also of shuffled words.

    Parameters
    ----------
    captions : by arm; those of the first, which has no method, are shuffled too
    most : captions that are read
    material : of the cells: the subject, and what it was shown
    """
    found = first_captions(read, captions, most, seed)
    own = np.full(found["nll"][1].shape, np.nan, dtype=np.float32)
    for line, (arm, texts) in zip(own, captions.items(), strict=True):
        line[:most] = own_nll(material.subject, material.shown.items[: len(texts[:most])], texts[:most], f"{arm}, own")
    by_itself = {"units": "nat a token", "meaning": "the same, and the caption's end, under the subject without smoothing, with the image"}
    return {**found, "own_nll": (("arm", "image"), own, by_itself)}
