"""Low-rank adapters (LoRA, Hu et al. 2022) on a decoder's projections, and their merge into plain weights."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

# gate and up are left out: they cost a third of a step more and brought nothing in a trial
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "down_proj")
FIRST_LAYER = 6
RANK, ALPHA = 12, 24.0


class Adapter(nn.Module):
    """A frozen linear layer W x with a trained detour: W x + (alpha / rank) B A x; B begins at zero."""

    def __init__(self, linear: nn.Linear, rank: int = RANK, alpha: float = ALPHA) -> None:
        super().__init__()
        self.linear, self.scale = linear, alpha / rank
        self.a = nn.Parameter(torch.randn(rank, linear.in_features) / math.sqrt(linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Float[Tensor, "*row input"]) -> Float[Tensor, "*row output"]:
        return self.linear(x) + functional.linear(functional.linear(x, self.a), self.b * self.scale)


def adapt(decoder: Any) -> None:
    """Freeze a Llama decoder and put adapters on the projections of its layers from `FIRST_LAYER` on."""
    decoder.requires_grad_(False)
    for layer in decoder.layers[FIRST_LAYER:]:
        for part in (layer.self_attn, layer.mlp):
            for name in PROJECTIONS:
                if hasattr(part, name):
                    setattr(part, name, Adapter(getattr(part, name)))


def adapters(decoder: nn.Module) -> dict[str, Tensor]:
    """The trained matrices by name, such as ``layers.6.mlp.down_proj.a``."""
    return {name: value.detach() for name, value in decoder.state_dict().items() if name.endswith((".a", ".b"))}


def merged(weights: dict[str, Tensor], trained: dict[str, Tensor], scale: float = ALPHA / RANK) -> dict[str, Tensor]:
    """A decoder's plain weights with the adapters added in: W + (alpha / rank) B A, computed in float32.

    Raises
    ------
    KeyError : an adapter of a projection that the decoder does not have
    """
    found = dict(weights)
    for name in sorted(key.removesuffix(".a") for key in trained if key.endswith(".a")):
        change = trained[f"{name}.b"].float() @ trained[f"{name}.a"].float()
        found[f"{name}.weight"] = weights[f"{name}.weight"] + scale * change
    return found
