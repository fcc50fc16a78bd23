"""The rotation by one position of a decoder's rotary embedding, checked against the decoder's own rotation before it is used."""

import inspect
import sys
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.errors import Unsupported
from kvsmooth.measures import rope_shift


def pair_angles(decoder: Any, band: tuple[int, ...]) -> dict[int, Float[Tensor, " pair"]]:
    """Rad per position of every rotary pair, for each layer of the band.

    A text token that follows a text token advances every section of a multimodal rotary embedding by one, so one set of angles serves
    M-RoPE as well. The factor that some scaling types put on cosine and sine is part of the cached key already.

    Raises
    ------
    Unsupported
        For a decoder without rotary embedding, one whose frequencies move while it decodes, or a layout other than rotated halves.
    """
    name = type(decoder).__name__
    embedding = getattr(decoder, "rotary_emb", None)
    if embedding is None:
        raise Unsupported(f'KVSmooth.rope must be "after" for {name}, which has no rotary embedding: both settings are the same there.')
    angles = {layer: _frequencies(decoder, embedding, layer) for layer in band}
    for layer, frequencies in angles.items():
        _check_layout(decoder.layers[layer].self_attn, frequencies)
    return angles


def _frequencies(decoder: Any, embedding: torch.nn.Module, layer: int) -> Float[Tensor, " pair"]:
    kinds = getattr(decoder.config, "layer_types", None)
    kind = kinds[layer] if kinds else None
    frequencies = getattr(embedding, f"{kind}_inv_freq", None)
    own_kind = frequencies is not None
    if not own_kind:
        frequencies = getattr(embedding, "inv_freq", None)
    rope_type = getattr(embedding, "rope_type", "default")
    rope_type = rope_type.get(kind) if isinstance(rope_type, dict) else rope_type
    attention = decoder.layers[layer].self_attn
    if frequencies is None or rope_type == "dynamic" or hasattr(decoder.config, "qk_rope_head_dim"):
        raise Unsupported(f'KVSmooth.rope="before" needs fixed rotary frequencies on whole keys; {type(decoder).__name__} has others.')
    if not getattr(attention, "use_rope", True):
        raise Unsupported(f'KVSmooth.rope="before" needs rotary keys in the whole band; layer {layer} has none: leave it out of layers.')
    fixed: Tensor = frequencies.detach().float()
    return fixed


def _check_layout(attention: Any, frequencies: Float[Tensor, " pair"]) -> None:
    """Prove on the decoder's own function that turning a key of position 3 by one gives the key of position 4."""
    module = sys.modules[type(attention).__module__]
    rotate = getattr(module, "apply_rotary_pos_emb", None)
    layout = f'KVSmooth.rope="before" knows rotary keys in the layout of rotated halves; {type(attention).__name__} has another.'
    if rotate is None or not {"q", "k", "cos", "sin"} <= set(inspect.signature(rotate).parameters):
        raise Unsupported(layout)
    channels = getattr(attention, "head_dim", 2 * len(frequencies))
    turn = torch.cat((frequencies, frequencies)) * torch.tensor([[3.0], [4.0]], device=frequencies.device)
    key = torch.linspace(-1, 1, channels, device=frequencies.device).expand(1, 1, 2, channels)
    rotary = key[..., : turn.shape[-1]]
    turned = rotate(q=rotary, k=rotary, cos=turn.cos()[None], sin=turn.sin()[None])[1]
    if not torch.allclose(rope_shift(turned[:, :, 0], frequencies), turned[:, :, 1], atol=1e-4):
        raise Unsupported(layout)
