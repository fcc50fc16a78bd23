"""Which prompt positions are BOS, system text, image and prompt text: read from the token ids, for every family alike."""

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from kvsmooth.errors import Unsupported

GROUPS = ("bos", "system", "image", "prompt", "generated", "self")
"""Groups of keys; `generated` and `self` (the query's own position) exist only while decoding."""

VISUAL = ("image_token_id", "video_token_id")
PADDING = -1
BOS, SYSTEM, IMAGE, PROMPT, GENERATED, SELF = range(len(GROUPS))


def token_groups(
    model: torch.nn.Module, input_ids: Int[Tensor, "row position"], attention_mask: Tensor | None = None
) -> Int[Tensor, "row position"]:
    """Index into `GROUPS` of every prompt position, -1 for padding.

    bos is the first visible position that holds `bos_token_id` (none where the family has no such token or does not use it); image is
    every position of `image_token_id` or `video_token_id`, what the model sees; system is other text before the first of these, prompt
    other text after it. Without an image all text but BOS is prompt.

    Parameters
    ----------
    model : a transformers model; its `config` names the tokens
    attention_mask : 1 = visible, 0 = padding; None means that nothing is padded

    Raises
    ------
    Unsupported : when `input_ids` holds no row
    """
    if input_ids.numel() == 0:
        raise Unsupported("token_groups needs at least one token; got none: pass input_ids beside inputs_embeds.")
    visible = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.to(input_ids.device).bool()
    groups = torch.full_like(input_ids, PROMPT)
    seen = [token for name in VISUAL if (token := getattr(model.config, name, None)) is not None]
    if seen:
        image = torch.isin(input_ids, torch.tensor(seen, device=input_ids.device)) & visible
        has_image = image.any(1, keepdim=True)
        groups[(image.cumsum(1) == 0) & has_image] = SYSTEM
        groups[image] = IMAGE
    bos_token = bos_token_id(model)
    if bos_token is not None:
        bos = (input_ids == bos_token) & visible
        groups[bos & (bos.cumsum(1) == 1)] = BOS
    return groups.masked_fill(~visible, PADDING)


def bos_token_id(model: torch.nn.Module) -> int | None:
    """The token that opens a sequence, from the text configuration, else from the generation configuration; None where there is none."""
    config: Any = model.config
    token: int | None = getattr(config.get_text_config(), "bos_token_id", None)
    if token is None:
        token = getattr(getattr(model, "generation_config", None), "bos_token_id", None)
    return token
