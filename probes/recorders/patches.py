"""Whether anything in the image looks like the newest token to the layer itself: the contextual lens."""

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.measures import TINY
from kvsmooth.spans import IMAGE
from probes.recorders.recorder import Recorder
from probes.tracing.steps import GenerationSetting, Step


class Patches(Recorder):
    """Largest cosine between a layer's output for the newest token and the same layer's output at one of the image's positions.

    A high one says that some patch carries what the token carries. Source: ContextualLens (arXiv 2411.19187), which takes it of an
    answer's words, in a middle layer. A word's own state is that of the step which feeds it, one after the step which predicts it.
    NaN without an image. Kept are the outputs at the image's positions in the model's own precision: layers x rows x positions x channels
    numbers, 0.15 GB a row for 32 layers, 576 positions and 4,096 channels in 16 bits.
    """

    name = "patches"
    needs = frozenset({"hidden"})
    variables = ("patch_cosine",)

    def __init__(self, setting: GenerationSetting):
        super().__init__(setting)
        self.image = setting.groups == IMAGE
        self.seen: dict[int, list[Tensor]] = {}
        # positions that hold an image in any row, and in which
        self.theirs = self.image[:, self.image.any(0)]

    def prompt(self, layer: int, hidden: Float[Tensor, "row position channel"], first: int) -> None:
        """Keep the image's positions of a layer's output over (a part of) the prompt."""
        here = self.image[:, first : first + hidden.shape[1]].any(0)
        self.seen.setdefault(layer, []).append(hidden[:, here])

    def reduce(self, step: Step):
        """Cosines in [-1, 1], "layer row"."""
        if not self.theirs.numel():
            return {"patch_cosine": torch.full(step.hidden.shape[:2], torch.nan, device=step.hidden.device)}
        for layer, parts in self.seen.items():
            if len(parts) > 1:
                self.seen[layer] = [torch.cat(parts, 1)]
        return {"patch_cosine": torch.stack([self._largest(self.seen[i][0], hidden) for i, hidden in enumerate(step.hidden)])}

    def _largest(self, patches: Float[Tensor, "row patch channel"], hidden: Float[Tensor, "row channel"]) -> Float[Tensor, " row"]:
        patches, hidden = patches.float(), hidden.float()
        product = torch.matmul(patches, hidden[..., None])[..., 0]
        cosine = product / (patches.norm(dim=-1) * hidden.norm(dim=-1, keepdim=True)).clamp_min(TINY)
        largest = cosine.masked_fill(~self.theirs, -torch.inf).amax(-1)
        return largest.masked_fill(~self.theirs.any(1), torch.nan)
