"""What language models think of captions: which of the validation scenes' are broken, and how fluent those of the test scenes are."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from analysis.language.fluency import fluency, shuffled
from analysis.language.limits import broken, limit
from analysis.language.own import own_nll

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
    captions : by arm; "none" is shuffled too
    most : captions that are read
    material : of the cells: the subject, and what it was shown
    """
    first = {arm: texts[:most] for arm, texts in captions.items()}
    nll, own = (np.full((len(captions), len(captions["none"])), np.nan, dtype=np.float32) for _ in range(2))
    for line, itself, (arm, texts) in zip(nll, own, first.items(), strict=True):
        line[: len(texts)] = fluency(read, texts, name=arm)
        itself[: len(texts)] = own_nll(material.subject, material.shown.items[: len(texts)], texts, f"{arm}, own")
    other = np.full(nll.shape[1], np.nan, dtype=np.float32)
    other[: len(first["none"])] = fluency(read, shuffled(first["none"], seed), name="shuffled")
    units = {"units": "nat a token", "meaning": "mean over a caption's tokens under a language model that never saw the image"}
    by_itself = {"units": "nat a token", "meaning": "the same, and the caption's end, under the subject without smoothing, with the image"}
    return {"nll": (("arm", "image"), nll, units), "own_nll": (("arm", "image"), own, by_itself), "nll_shuffled": ("image", other, units)}
