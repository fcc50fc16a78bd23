"""First stage: the tower and projector learn to say what each patch shows, in the frozen word embeddings of the language model."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from probes.subjects.emoji.scenes import scene, scenes
from probes.subjects.smollm2.tower import Sight, accuracy, alignment, patch_weights, pixels, shown, small_patches, start_from_emoji

# scenes of this stage: far from those that the second stage describes
FIRST = 1_000_000


@dataclass(frozen=True)
class AlignConfig:
    """Options of the alignment: image side (pixels), steps, scenes a step, highest rate of projector and tower, seed."""

    size: int = 168
    steps: int = 1200
    batch: int = 48
    rate: float = 2e-3
    tower_rate: float = 5e-4
    seed: int = 0


def align(words: Tensor, config: AlignConfig, log: Callable[[dict], None]) -> Sight:
    """A tower and projector whose patches say what they show."""
    torch.manual_seed(config.seed)
    sight = Sight(config.size)
    start_from_emoji(sight.tower)
    tower = list(sight.tower.parameters())
    rest = [p for name, p in sight.named_parameters() if not name.startswith("tower")]
    groups = [{"params": rest, "top": config.rate}, {"params": tower, "top": config.tower_rate}]
    optimizer = torch.optim.AdamW(groups, lr=config.rate, weight_decay=0.01)
    start = time.perf_counter()
    for step in range(config.steps):
        drawn = [scene(FIRST + step * config.batch + i, "train", config.size) for i in range(config.batch)]
        labels = torch.from_numpy(np.stack([shown(item) for item in drawn]))
        weights = patch_weights(labels, torch.from_numpy(np.stack([small_patches(item) for item in drawn])))
        for group in optimizer.param_groups:
            group["lr"] = group["top"] * min(1.0, (step + 1) / 30) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / config.steps)))
        loss = alignment(sight(pixels(drawn)), labels, weights, words)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            took = (time.perf_counter() - start) / 60
            log(
                {
                    "stage": "align",
                    "step": step + 1,
                    "minutes": round(took, 2),
                    "loss": round(float(loss.detach()), 4),
                    **accuracy(sight, scenes(200, "validation", config.size), words),
                }
            )
    return sight
