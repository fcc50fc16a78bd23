"""Image tokens whose features a branch is given as zeros."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported


@contextmanager
def blanked(site: Site, blank: Bool[Tensor, "row position"] | None) -> Iterator[None]:
    """In here the decoder reads zeros in the place of these tokens' embeddings; None changes nothing.

    What a vision tower hands to later layers of the decoder, as Qwen3-VL's does, is zero for these tokens too.
    """
    if blank is None:
        yield
        return

    def before(decoder: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        embeds = kwargs.get("inputs_embeds")
        if embeds is None:
            raise Unsupported(f"{site.method} blanks image features and {type(decoder).__name__} is given no inputs_embeds.")
        changed = {**kwargs, "inputs_embeds": embeds.masked_fill(blank.to(embeds.device)[..., None], 0.0)}
        visual, deeper = kwargs.get("visual_pos_masks"), kwargs.get("deepstack_visual_embeds")
        if visual is not None and deeper is not None:
            gone = blank.to(visual.device)[visual.view(blank.shape)]
            changed["deepstack_visual_embeds"] = [features.masked_fill(gone.to(features.device)[:, None], 0.0) for features in deeper]
        return args, changed

    hook = site.decoder.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
