"""How likely objects are while the same tokens are read: the measure of `analysis.logits`, in every arm."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.captions.mentions import mention_table
from analysis.logits.slopes import own_level_slopes
from analysis.mechanism.measures import MEASURES, OF_OBJECTS
from analysis.metrics.chair import ground_truth
from analysis.objects.classes import NEVER, classify, first_mentions, present_objects
from analysis.objects.sample import Objects, generated, indistinct, members


def objects_measured(replay: xr.Dataset, free: xr.Dataset, annotations: Mapping, min_steps: int) -> Float[np.ndarray, "arm image measure"]:
    """The slope of the log-probability of each set of objects, a level for each; NaN where an image has none, or too few steps.

    Parameters
    ----------
    replay : every arm on the same tokens, with the recorder "lens"
    free : every arm's own captions: an absent object that any of them names is hallucinated, so that no arm is selected on its own outcome
    annotations : in COCO's instances format
    min_steps : steps that an image's set must have
    """
    arms, images = [str(arm) for arm in replay["arm"].values], replay["image"].values
    names = [str(name) for name in replay["object"].values if str(name) not in indistinct(replay["object_logit"])]
    said = first_mentions(mention_table(free, annotations), [str(arm) for arm in free["arm"].values], images, names)
    classes = classify(present_objects(ground_truth(annotations), images, names), np.any(said < NEVER, axis=0))
    objects = Objects(images, tuple(names), classes, {})
    first = first_mentions(mention_table(replay, annotations), arms, images, names)
    alive = generated(replay, images)
    found = np.full((len(arms), len(images), len(OF_OBJECTS)), np.nan)
    for number, arm in enumerate(arms):
        values = replay["object_logprob"].sel(arm=arm, object=names).transpose("image", "step", "object").values.astype(float)
        for place, name in enumerate(OF_OBJECTS):
            inside = members(objects, MEASURES[name].objects, first[number], values.shape[1])
            found[number, :, place] = own_level_slopes(values, inside & alive[number][:, :, None], min_steps)
    return found
