"""The image side: the tower and projector, what each patch shows, and how well the patches say it."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPVisionModel

from probes.subjects.emoji import WEIGHTS as EMOJI
from probes.subjects.emoji.kinds import KINDS
from probes.subjects.emoji.patches import largest
from probes.subjects.emoji.scenes import Scene
from probes.subjects.emoji.vocabulary import CATEGORIES
from probes.subjects.smollm2.model import GRID, vision_config

NAMES = [category.name for category in CATEGORIES]
PLACES = [kind.name for kind in KINDS]
WIDTH = 576
# a patch shows an object that fills this share of it
SHOWN = 1 / 8


class Sight(nn.Module):
    """Tower and projector: pixels to image tokens in the space of word embeddings."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.tower = CLIPVisionModel(vision_config(size))
        self.linear_1, self.act, self.linear_2 = nn.Linear(96, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH)
        nn.init.normal_(self.linear_2.weight, std=0.02)

    def forward(self, pixels: Float[Tensor, "row 3 size size"]) -> Float[Tensor, "row patch width"]:
        seen = self.tower(pixels).last_hidden_state[:, 1:]
        return self.linear_2(self.act(self.linear_1(seen)))


def start_from_emoji(tower: CLIPVisionModel) -> None:
    """The emoji subject's tower as a start, its patch kernel resized to this tower's patches (each weight shrinks as patches grow)."""
    stored = load_file(EMOJI / "model.safetensors")
    own = tower.state_dict()
    found = {
        name.split("vision_tower.")[-1].removeprefix("vision_model."): value for name, value in stored.items() if "vision_tower" in name
    }
    filled = {name: found[name.removeprefix("vision_model.")] for name in own if "position_ids" not in name}
    kernel = next(name for name in filled if name.endswith("patch_embedding.weight"))
    old, side = filled[kernel], own[kernel].shape[-1]
    if old.shape[-1] != side:
        resized = nn.functional.interpolate(old, size=(side, side), mode="bilinear", align_corners=False)
        filled[kernel] = resized * (old.shape[-1] / side) ** 2
    tower.load_state_dict(filled, strict=False)


def pixels(drawn: list[Scene]) -> Float[Tensor, "row 3 size size"]:
    """The images as the processor would give them: in [-1, 1]."""
    return torch.from_numpy(np.stack([np.asarray(item.image) for item in drawn])).permute(0, 3, 1, 2).float() / 127.5 - 1


def shown(scene: Scene) -> Int[np.ndarray, " patch"]:
    """What each patch shows: the number of its largest object, or, without one, that of the kind of scene, behind the objects' numbers."""
    numbers = [*(NAMES.index(item.category) for item in scene.objects), len(NAMES) + PLACES.index(scene.kind.name)]
    return np.array(numbers)[largest(scene, GRID, SHOWN)]


def small_patches(scene: Scene) -> Bool[np.ndarray, " patch"]:
    """Whether the object that a patch shows is a small one."""
    return np.array([*(item.role == "background" for item in scene.objects), False])[largest(scene, GRID, SHOWN)]


def word_vectors(table: Tensor, tokenizer) -> Float[Tensor, "word width"]:
    """The mean input embedding of each object's noun, then of each place's, as they stand inside a sentence."""
    nouns = [category.noun.rpartition(" of ")[2] for category in CATEGORIES] + [kind.name.split(" ", 1)[1] for kind in KINDS]
    return torch.stack([table[tokenizer(" " + noun, add_special_tokens=False)["input_ids"]].mean(0) for noun in nouns])


def alignment(seen: Tensor, labels: Int[Tensor, "row patch"], weights: Tensor, words: Tensor) -> Float[Tensor, ""]:
    """How far patches are from the words of what they show: cross-entropy of cosines / 0.05, plus the relative squared distance."""
    unit = nn.functional.normalize(words, dim=1)
    scores = nn.functional.normalize(seen, dim=-1) @ unit.t() / 0.05
    entropy = nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
    distance = ((seen - words[labels]) ** 2).sum(-1) / (words**2).sum(-1).mean()
    return ((entropy + distance) * weights).sum() / weights.sum()


def patch_weights(labels: Tensor, small: Tensor, background: float = 0.15, small_weight: float = 3.0) -> Tensor:
    """Weights of patches in the alignment: patches without an object count little, those of small objects most."""
    return torch.where(labels < len(NAMES), torch.where(small, small_weight, 1.0), background)


@torch.no_grad()
def accuracy(sight: Sight, drawn: list[Scene], words: Tensor) -> dict[str, float]:
    """Shares of patches with an object that say it, and of large and small objects that some patch says."""
    unit = nn.functional.normalize(words, dim=1)
    said = (nn.functional.normalize(sight(pixels(drawn)), dim=-1) @ unit.t()).argmax(-1).numpy()
    labels = np.stack([shown(item) for item in drawn])
    found = {
        role: [NAMES.index(o.category) in said[i] for i, s in enumerate(drawn) for o in s.objects if o.role == role]
        for role in ("main", "background")
    }
    held = labels < len(NAMES)
    return {
        "patches": float((said == labels)[held].mean()),
        "large": float(np.mean(found["main"])),
        "small": float(np.mean(found["background"])),
    }
