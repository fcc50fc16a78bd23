"""Captions of which it is known how each arm lowers CHAIR: one sees better, one says less, one repeats what is there."""

import numpy as np

from analysis.captions.measures import counts
from analysis.captions.speaker import Captions
from analysis.methods.__main__ import MethodsConfig
from analysis.methods.trial import NONE, reduced_of
from analysis.question.images import shown
from probes.subjects.bundled import own_scenes

OBJECTS = ("dog", "cat", "bus", "cup", "clock", "boat")


def caption(named, times=1):
    """One sentence an object."""
    return " ".join(f"There is a {name} in the picture." for name in named for _ in range(times))


def planted(images=40):
    """Captions of the first scenes, of which an arm sees better, one says less, and one repeats what is there."""
    rng = np.random.default_rng(0)
    plain, better, less, repeats = [], [], [], []
    for scene in own_scenes("emoji", images):
        there = sorted({one.category for one in scene.objects})
        absent = [name for name in OBJECTS if name not in there][: 2 if rng.random() < 0.6 else 0]
        order = list(rng.permutation([*there, *absent]))
        plain.append(caption(order))
        better.append(caption(there))
        less.append(caption(order[: max(1, len(order) // 2)]))
        repeats.append(caption([*there, *absent[:1]], times=4))
    said = {NONE: plain, "pai x1": better, "eos_bias x1": less, "kvsmooth x1": repeats}
    return {arm: Captions(tuple(texts), (True,) * len(texts), 1.0, {}) for arm, texts in said.items()}


def reduced_planted(said):
    """The reduced data of such captions, said of the first scenes, with no language model to read them; attributes are the caller's."""
    seen = shown(MethodsConfig(images=len(said[NONE].texts)), None)
    truth = [seen.truth[item.image_id] for item in seen.items]
    levels = {name: counts(one.texts, one.ended, truth).astype(np.float32) for name, one in said.items()}
    return reduced_of(levels, said, seen, fluent=0, seed=0)
