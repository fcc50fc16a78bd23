"""Which objects of the vocabulary an image has, which a caption invents, and which would be typical there; the same for both arms.

Classes are fixed by image before any logit is read. An object is hallucinated if it is absent and the free caption of either arm names it:
to take the baseline's alone would select on its outcome, and what was selected for being high falls under any change.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from analysis.objects.names import CLASSES
from analysis.words.words import synonyms

if TYPE_CHECKING:
    import pandas

NEVER = np.iinfo(np.int32).max


def canonical(objects: Sequence[str]) -> list[str]:
    """Names of objects as mentions and ground truth write them (COCO's)."""
    table = synonyms()
    return [table.get(name, name) for name in objects]


def present_objects(
    truth: Mapping[int, frozenset[str]], images: Sequence[int] | np.ndarray, objects: Sequence[str]
) -> Bool[np.ndarray, "image object"]:
    """Whether the annotations say that an image has an object."""
    names = canonical(objects)
    return np.array([[name in truth[int(image)] for name in names] for image in images], dtype=bool).reshape(len(images), len(names))


def first_mentions(
    table: "pandas.DataFrame", arms: Sequence[str], images: Sequence[int] | np.ndarray, objects: Sequence[str]
) -> Int[np.ndarray, "arm image object"]:
    """The step that predicts the first sub-token of an object's first mention; `NEVER` for an object that the caption does not name."""
    first = np.full((len(arms), len(images), len(objects)), NEVER, dtype=np.int64)
    places = [{key: i for i, key in enumerate(keys)} for keys in (arms, [int(image) for image in images], canonical(objects))]
    for arm, image, name, step in zip(table["arm"], table["image"], table["object"], table["step"], strict=True):
        place = (places[0].get(str(arm)), places[1].get(int(image)), places[2].get(str(name)))
        if None not in place:
            first[place] = min(first[place], int(step))
    return first


def classify(present: Bool[np.ndarray, "image object"], named: Bool[np.ndarray, "image object"]) -> Bool[np.ndarray, "class image object"]:
    """The partition `CLASSES`: present; hallucinated (absent, named); typical (`typical_objects`); and the rest.

    Parameters
    ----------
    present : the image has it
    named : the free caption of either arm says it
    """
    hallucinated = named & ~present
    typical = typical_objects(present, ~present & ~named)
    classes = {"present": present, "hallucinated": hallucinated, "typical": typical, "other": ~(present | hallucinated | typical)}
    return np.stack([classes[name] for name in CLASSES])


def typical_objects(
    present: Bool[np.ndarray, "image object"], candidates: Bool[np.ndarray, "image object"]
) -> Bool[np.ndarray, "image object"]:
    """Of an image's candidates the likeliest company of what it has, as many as it has objects.

    The score of an object is the mean, over the image's objects, of the share of *other* images with that object that have this one too.
    Objects with a score of zero are not typical; ties go to the earlier object.
    """
    score = np.where(candidates, company(present), 0.0)
    place = np.argsort(np.argsort(-score, axis=1, kind="stable"), axis=1, kind="stable")
    return (place < present.sum(axis=1, keepdims=True)) & (score > 0)


def company(present: Bool[np.ndarray, "image object"]) -> Float[np.ndarray, "image object"]:
    """Mean over an image's objects p of the share of other images with p that hold an object; right for objects that the image lacks."""
    there = present.astype(float)
    together = there.T @ there
    others = np.maximum(np.diag(together) - 1, 1)  # the image itself is one of those with p; where it is the only one, the share is 0
    return there @ (together / others[:, None]) / np.maximum(there.sum(axis=1, keepdims=True), 1)
