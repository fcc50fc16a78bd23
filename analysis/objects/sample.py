"""A recording made ready for questions about objects: which objects, which images, which steps, which sets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool, Int

from analysis.captions.mentions import mention_table
from analysis.metrics.chair import ground_truth
from analysis.objects.classes import NEVER, classify, first_mentions, present_objects
from analysis.objects.names import CLASSES, class_of, unsaid
from analysis.question.arms import ARMS
from probes.command.cli import BadInput


@dataclass(frozen=True)
class Objects:
    """What holds for the images whatever the regime.

    Attributes
    ----------
    image : ids
    name : of the vocabulary's objects that can be told apart by their first tokens
    classes : the partition `CLASSES` of the objects, by image
    dropped : objects of the vocabulary that are left out, with the reason
    """

    image: Int[np.ndarray, " image"]
    name: tuple[str, ...]
    classes: Bool[np.ndarray, "class image object"]
    dropped: Mapping[str, str]


def objects_of(free: xr.Dataset, annotations: Mapping) -> Objects:
    """Classes of the objects, from the annotations and the free captions of both arms.

    Raises
    ------
    BadInput : the recording has no object lens, or the annotations have none of its images
    """
    if "object_logit" not in free:
        raise BadInput("the recording has no object_logit: the subject knows no objects, or it was recorded without the recorder lens.")
    truth = ground_truth(annotations)
    image = np.array([int(i) for i in free["image"].values if int(i) in truth], dtype=np.int64)
    if not len(image):
        raise BadInput("the annotations (--annotations) hold none of the recorded images; give the file that belongs to them.")
    dropped = indistinct(free["object_logit"])
    name = tuple(str(o) for o in free["object"].values if str(o) not in dropped)
    named = np.any(first_mentions(mention_table(free, annotations), list(ARMS), image, name) < NEVER, axis=0)
    return Objects(image, name, classify(present_objects(truth, image, name), named), dropped)


def indistinct(logit: xr.DataArray) -> dict[str, str]:
    """Objects that first tokens cannot tell: without a logit, or with the very logits of an earlier or later object."""
    series = logit.transpose("object", "arm", "image", "step").values.reshape(logit.sizes["object"], -1)
    seen: dict[bytes, list[str]] = {}
    for name, values in zip(logit["object"].values, series, strict=True):
        seen.setdefault(values.tobytes(), []).append(str(name))
    silent = {str(n): "no first token" for n, v in zip(logit["object"].values, series, strict=True) if not np.isfinite(v).any()}
    shared = {name: f"first token shared by {', '.join(names)}" for names in seen.values() if len(names) > 1 for name in names}
    return shared | silent


def members(objects: Objects, which: str, first: Int[np.ndarray, "image object"], steps: int) -> Bool[np.ndarray, "image step object"]:
    """Objects and steps of a set: its class at every step, or at the steps before the one that says the object.

    The step that says an object is where its logit is highest; kept, it would end every series with a peak.
    """
    inside = objects.classes[CLASSES.index(class_of(which))][:, None, :]
    if unsaid(which):
        return inside & (np.arange(steps)[None, :, None] < first[:, None, :])
    return np.broadcast_to(inside, (inside.shape[0], steps, inside.shape[2]))


def generated(recording: xr.Dataset, image: Int[np.ndarray, " image"]) -> Bool[np.ndarray, "arm image step"]:
    """The steps from 1 on that an arm has; step 0 belongs to the prompt, which no arm has touched."""
    alive = np.isfinite(recording["object_logit"].sel(image=image).transpose("arm", "image", "step", "object").values).any(axis=-1)
    alive[:, :, :1] = False
    return alive


def shared_steps(alive: Bool[np.ndarray, "arm image step"], min_steps: int) -> Bool[np.ndarray, "image step"]:
    """The steps that both arms of an image have, so that both are seen over the same positions; none where they are too few."""
    both = alive.all(axis=0)
    return both & (both.sum(axis=1) >= min_steps)[:, None]
