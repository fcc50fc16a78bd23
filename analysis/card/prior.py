"""How much of what is named is owed to the language model's prior: the same caption behind the image, behind another, behind none.

At the step where a caption names an object for the first time, its own image, the image of another scene and no image at all each give a
next-token distribution. What the image adds to a word is the difference of its log-probabilities. An absent object is typical where the
scene's kind draws it among its large or small objects.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from analysis.captions.mentions import CaptionMention, mentions
from analysis.captions.shares import Estimate
from analysis.stats.bootstrap import ratio_bca
from probes.dependency import without_image
from probes.subjects.emoji import Scene
from probes.subjects.item import Item
from probes.subjects.subject import Subject

IMAGES = ("its own image", "the image of another scene", "no image")
SETS = ("present", "typical absent", "other absent")


def owed(subject: Subject, drawn: Sequence[Scene], captions: Sequence[Sequence[int]], draws: int, seed: int) -> dict[str, Any]:
    """What the prior owes, as rows with an interval over images.

    Parameters
    ----------
    captions : tokens of the captions without smoothing, one a scene; each is forced behind all three images
    draws, seed : of the bootstrap

    Returns
    -------
    "scenes" : how many of the captions name an object; the rest is there if one does
    "logprob" : by image, of the objects named, present and hallucinated, by any of their first tokens, nat
    "mass" : by image, the probability of naming an object of each of `SETS` at these steps; objects that share a first token count twice
    "typical" : share of hallucinated objects that are typical of the scene, and share of all absent objects that are
    """
    rows = [_one(subject, *given) for given in _triples(subject, drawn, captions)]
    if not rows:
        return {"scenes": 0}
    counted = {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def estimates(above: str, below: str, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        top, bottom = (counted[name].reshape(len(rows), -1).astype(float) for name in (above, below))
        bottom = np.broadcast_to(bottom, top.shape)
        found = ratio_bca(top, bottom, resamples=draws, seed=seed)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = top.sum(0) / bottom.sum(0)
        limits = [None if why else (float(a), float(b)) for a, b, why in zip(found.low, found.high, found.reason, strict=True)]
        made = (Estimate(name, float(value), limit, len(rows)) for name, value, limit in zip(names, values, limits, strict=True))
        return {one.name: asdict(one) for one in made}

    return {
        "scenes": len(rows),
        "mentions": {"present": int(counted["present"].sum()), "hallucinated": int(counted["hallucinated"].sum())},
        "logprob": {
            said: estimates(f"logprob {said}", said, [*IMAGES, "own less none", "own less another"]) for said in ("present", "hallucinated")
        },
        "mass": {image: estimates(f"mass {i}", "steps", SETS) for i, image in enumerate(IMAGES)},
        "typical": estimates("typical", "among", ["hallucinated objects", "absent objects"]),
    }


def _triples(
    subject: Subject, drawn: Sequence[Scene], captions: Sequence[Sequence[int]]
) -> Iterator[tuple[Scene, list[CaptionMention], Float[torch.Tensor, "image mention object"]]]:
    """A scene, the first mention of each object in its caption, and the log-probability of every object there under each image."""
    for i, (scene, caption) in enumerate(zip(tqdm(drawn, "prior", disable=None), captions, strict=True)):
        first = [mention for mention in mentions(subject, caption, scene.names) if mention.repeated == 1]
        if not first:
            continue
        own, other = (subject.encode([Item(one.image_id, one.image)]) for one in (scene, drawn[(i + 1) % len(drawn)]))
        steps = [mention.step for mention in first]
        inputs = (own, other, without_image(subject.model, own))
        yield scene, first, torch.stack([_logprobs(subject, given, caption, steps) for given in inputs])


@torch.no_grad()
def _logprobs(
    subject: Subject, inputs: Mapping[str, Any], caption: Sequence[int], steps: Sequence[int]
) -> Float[torch.Tensor, "step object"]:
    """Of every object at these steps of a caption, in one pass over prompt and caption."""
    prompt = inputs["input_ids"]
    ids = torch.cat([prompt, torch.tensor([list(caption)], dtype=prompt.dtype)], 1)
    places = torch.tensor(steps) + prompt.shape[1] - 1  # the logits of a place are those of the token behind it
    pixels = {name: value for name, value in inputs.items() if name not in ("input_ids", "attention_mask")}
    out = subject.model(input_ids=ids, attention_mask=torch.ones_like(ids), **pixels, logits_to_keep=places)
    return subject.objects.of(out.logits[0]).logprob


def _one(
    subject: Subject, scene: Scene, said: list[CaptionMention], logprob: Float[torch.Tensor, "image mention object"]
) -> dict[str, np.ndarray]:
    """The sums of one scene."""
    names = list(subject.objects.names)
    typical = {*scene.kind.main, *scene.kind.background}
    group = np.array([0 if name in scene.names else 1 if name in typical else 2 for name in names])
    values = logprob.double().numpy()
    own, other, none = values[:, np.arange(len(said)), [names.index(one.object) for one in said]]
    words = np.stack([own, other, none, own - none, own - other])
    here = np.array([one.present for one in said])
    mass = np.exp(np.where(np.isnan(values), -np.inf, values))
    invented = {one.object for one in said if not one.present}
    absent = group > 0
    return {
        "logprob present": words[:, here].sum(1),
        "logprob hallucinated": words[:, ~here].sum(1),
        "present": np.array([here.sum()]),
        "hallucinated": np.array([(~here).sum()]),
        "steps": np.array([len(said)]),
        **{f"mass {i}": np.array([mass[i][:, group == which].sum() for which in range(len(SETS))]) for i in range(len(IMAGES))},
        "typical": np.array([len(invented & typical), (group == 1).sum()]),
        "among": np.array([len(invented), absent.sum()]),
    }
