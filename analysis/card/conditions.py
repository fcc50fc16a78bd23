"""Under which conditions the scenes are captioned for a card: what is done to the image, and what to the decoding."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from kvsmooth import KVSmooth
from kvsmooth.policies import Constant
from probes.command.files import write_bytes
from probes.subjects.emoji import Scene
from probes.subjects.item import Item
from probes.subjects.subject import Subject
from probes.tracing.tokens import end_tokens, free_captions

OTHER = "image of another scene"
"""That of the next scene: its caption is known from the baseline."""
GRID = 8
"""Patches on a side, of every bundled subject."""
DIGITS = 20
"""Of the hash of the weights, in the name of a file that keeps captions."""


@dataclass(frozen=True)
class Condition:
    """One way of captioning the scenes: what is done to the images, and what to the decoding.

    Attributes
    ----------
    image : by number of the scene
    arm : a block in which the model decodes
    drawn : what a random draw of it went by, so that captions of another draw are not taken for its own
    """

    name: str
    image: Callable[[int], Image.Image]
    arm: Callable[[torch.nn.Module], AbstractContextManager] = field(default=lambda model: nullcontext())
    drawn: str = ""


def conditions(drawn: list[Scene], seed: int, smoothing: bool) -> list[Condition]:
    """The image as it is, blank, with its patches shuffled; then the arms that smooth."""
    blank = Image.new("RGB", drawn[0].image.size, (128, 128, 128))
    found = [
        Condition("baseline", lambda i: drawn[i].image),
        Condition("blank image", lambda i: blank),
        Condition("shuffled patches", lambda i: shuffled(drawn[i].image, seed + i), drawn=f"seed {seed}"),
    ]
    if smoothing:
        arms = {f"KVSmooth {rate}": KVSmooth(lambda_ref=rate) for rate in (0.5, 0.7, 0.9)}
        arms["constant 0.5"] = KVSmooth(policy=Constant(0.5))
        found += [Condition(name, lambda i: drawn[i].image, arm) for name, arm in arms.items()]
    return found


def shuffled(image: Image.Image, seed: int) -> Image.Image:
    """The image with its patches in another order."""
    pixels = np.asarray(image)
    size = pixels.shape[0] // GRID
    patches = pixels.reshape(GRID, size, GRID, size, 3).swapaxes(1, 2).reshape(GRID * GRID, size, size, 3)
    order = np.random.default_rng(seed).permutation(len(patches))
    return Image.fromarray(patches[order].reshape(GRID, GRID, size, size, 3).swapaxes(1, 2).reshape(pixels.shape))


@torch.no_grad()
def captions(subject: Subject, condition: Condition, n: int, batch: int, cache: Path | None) -> list[str]:
    """Greedy captions under one condition, a batch at a time; finished batches are taken from the cache."""
    texts: list[str] = []
    for start in tqdm(range(0, n, batch), condition.name, disable=None):
        part = range(start, min(start + batch, n))
        name = f"{condition.name} {condition.drawn}".strip().replace(" ", "-")
        # of the hash alone, without what kind of hash it is
        weights = subject.revision.rpartition(":")[2][:DIGITS]
        kept = cache and cache / f"{weights}-{name}-{part.start}-{part.stop}.json"
        if kept and kept.exists():
            texts += json.loads(kept.read_text(encoding="utf-8"))
            continue
        inputs = subject.encode([Item(i, condition.image(i)) for i in part])
        with condition.arm(subject.model):
            said = free_captions(subject.model, inputs, end_tokens(subject.speaker), do_sample=False, num_beams=1)
        new = [subject.text(row) for row in said]
        if kept:
            write_bytes(kept, json.dumps(new).encode())
        texts += new
    return texts
