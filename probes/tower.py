"""The states of an image tower's layers, read while a pass over prompts runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


@contextmanager
def tower_states(model: nn.Module) -> Iterator[list[Tensor]]:
    """While the block runs: the output of every layer of the image tower, in order, once an image pass.

    Yields
    ------
    list : filled by the pass, each "image token width"; it stays empty for a model without an image tower of layers, and one whose tower
        packs images of all sizes into one row gives states without an axis of images
    """
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _given: Any, output: Any) -> None:
        state = output if isinstance(output, Tensor) else output[0]
        seen.append(state.detach())

    hooks = [layer.register_forward_hook(keep) for layer in tower_layers(model)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def tower_layers(model: Any) -> list[nn.Module]:
    """The layers of the image tower: its longest list of modules; none where transformers finds no tower."""
    found = model.get_encoder(modality="image") if hasattr(model, "get_encoder") else model
    if found is model or found is getattr(model, "base_model", None) or not isinstance(found, nn.Module):
        return []
    return max((list(part) for part in found.modules() if isinstance(part, nn.ModuleList)), key=len, default=[])


def layer_read(model: nn.Module, layers: int) -> int | None:
    """Which of the tower's layers the projector reads, from 0; None where it reads several, or what goes into the first."""
    wanted = getattr(model.config, "vision_feature_layer", -1)
    # the field counts as transformers' hidden_states do: 0 is what goes into the first layer, 1 what comes out of it, -1 the last output
    place = wanted - 1 if isinstance(wanted, int) and wanted >= 0 else wanted + layers if isinstance(wanted, int) else -1
    return place if 0 <= place < layers else None


def patch_norms(states: list[Tensor], rows: int, patches: int) -> Float[Tensor, "layer row patch"] | None:
    """Norms of the patches' states, class token and registers before them left out; None where patches and image tokens are not one to one.

    Parameters
    ----------
    states : of `tower_states`
    rows, patches : prompts, and image tokens in each
    """
    fitting = states and all(state.dim() == 3 and len(state) == rows and 0 <= state.shape[1] - patches <= 8 for state in states)
    if not fitting or not patches:
        return None
    return torch.stack([state[:, state.shape[1] - patches :].float().norm(dim=-1) for state in states])
