"""VCD: logits against those of the same prompt with a noised image."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.branch import BatchPrompt, Branch
from kvsmooth.baselines.contrasting import Contrasting
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported

STEPS = 1000


@dataclass(frozen=True)
class VCD(Contrasting):
    """Contrasts the logits with those of a branch whose image is diffused: (1 + alpha) l - alpha l', among plausible tokens.

    The normalised pixels x become sqrt(a) x + sqrt(1 - a) e, with a the product of 1 - b over the first `noise_step` + 1 of 1000 steps,
    b_s = sigmoid(linspace(-6, 6)) (5e-3 - 1e-5) + 1e-5. Source: Leng et al., CVPR 2024; the authors' code.
    Its published numbers are of sampling: compare it with a sampling baseline of the same seed, never with a greedy one.

    Parameters
    ----------
    alpha : weight of the contrast, >= 0
    beta : plausibility, in [0, 1]: tokens below beta times the likeliest are left out; alpha = 0 with beta = 0 changes nothing
    noise_step : of the diffusion, 0 to 999
    seed : of the noise, which is the same for every image of a shape, so that a caption does not depend on its batch
    """

    name: ClassVar[str] = "vcd"
    cost: ClassVar[str] = "a second forward pass and a second cache"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code: command line; 0.5 within its sampling function, which InstructBLIP's script falls back to",
        "beta": "code: command line; its shell script says 0.2",
        "noise_step": "code",
        "seed": "ours: the code draws anew for each image",
    }

    alpha: float = 1.0
    beta: float = 0.1
    noise_step: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        self.check_contrast()
        self.check_whole("noise_step", least=0)
        self.check_whole("seed", least=0)
        if self.noise_step >= STEPS:
            raise ValueError(f"VCD.noise_step must be below {STEPS}; got {self.noise_step}.")

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The change of the logits."""
        branch = Branch(site, self._noised)

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            return self.against(logits, branch.logits(at))

        return (LogitChange(site, change, self.neutral)(),)

    def _noised(self, prompt: BatchPrompt) -> BatchPrompt:
        pixels = prompt.inputs.get("pixel_values")
        if pixels is None:
            raise Unsupported("vcd diffuses an image and the prompt came without pixel_values; pass them to the model.")
        grid = prompt.inputs.get("image_grid_thw")
        sizes = [1] * len(pixels) if grid is None else grid.prod(-1).tolist()
        return replace(prompt, inputs={**prompt.inputs, "pixel_values": diffused(pixels, sizes, self.noise_step, self.seed)})


def diffused(pixels: Float[Tensor, "..."], sizes: list[int], step: int, seed: int) -> Float[Tensor, "..."]:
    """Pixels, "piece *size", after so many steps of diffusion; an image is `sizes` pieces, and begins the stream of numbers anew."""
    betas = torch.sigmoid(torch.linspace(-6, 6, STEPS)) * (5e-3 - 1e-5) + 1e-5
    share = (1 - betas).cumprod(0)[step]
    noise = [torch.randn((size, *pixels.shape[1:]), generator=torch.Generator().manual_seed(seed)) for size in sizes]
    mixed = share.sqrt() * pixels.float() + (1 - share).sqrt() * torch.cat(noise).to(pixels.device)
    return mixed.to(pixels.dtype)
