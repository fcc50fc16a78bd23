"""The mentions of captions as variables of a data set, and the omission lines of what was stored."""

from typing import Any

import numpy as np
import xarray as xr

from analysis.omission.line import Line, omission_line
from analysis.omission.mentions import Mentions
from analysis.omission.rules import LINES

PARTS = {
    "object": "of the captions without a method, in their order: a number an object; -1 behind the last mention",
    "absent": "the object is not in the image",
    "sentence": "which sentence names it, from 0; -1 behind the last mention",
    "background": "its sentence speaks of the background",
}


def stored(mentions: Mentions) -> dict[str, tuple[Any, np.ndarray, dict[str, str]]]:
    """Variables "image mention", and "truth" "image"."""
    found = {
        name: (("image", "mention"), getattr(mentions, name).astype(np.int16), {"meaning": meaning}) for name, meaning in PARTS.items()
    }
    return found | {"truth": ("image", mentions.truth.astype(np.int16), {"meaning": "objects in the image"})}


def lines_of(reduced: xr.Dataset) -> list[Line]:
    """What leaving out of the stored captions would give, by each rule of `LINES`."""
    parts = {name: reduced[name].transpose("image", "mention").values for name in PARTS}
    truth = reduced["truth"].values.astype(int)
    flags = {name: parts[name] > 0 for name in ("absent", "background")}
    mentions = Mentions(parts["object"].astype(int), flags["absent"], parts["sentence"].astype(int), flags["background"], truth)
    return [omission_line(mentions, rule, unit) for rule, unit in LINES]
