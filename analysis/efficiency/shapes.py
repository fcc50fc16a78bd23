"""What is decoded while costs are measured: a random Llama of any size, or a bundled subject on one of its scenes."""

import copy
import math
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from transformers import CLIPVisionConfig, LlamaConfig, LlamaForCausalLM, LlavaConfig, LlavaForConditionalGeneration

from analysis.efficiency.names import IMAGE_TOKENS
from kvsmooth.decoding.attention import innermost_decoder

ALL_SMOOTHED = 4
"""Decoders of so many layers or fewer have no default band: all of their layers are smoothed."""


@runtime_checkable
class Shape(Protocol):
    """The options that decide it; they are only read."""

    @property
    def subject(self) -> str:
        """Of a bundled subject; "" builds a random stack."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt."""

    @property
    def new_tokens(self) -> int:
        """Tokens that are written."""

    @property
    def hidden(self) -> int:
        """Width of a state."""

    @property
    def layers(self) -> int:
        """Layers of the stack."""

    @property
    def heads(self) -> int:
        """Heads of a layer."""

    @property
    def vocabulary(self) -> int:
        """Tokens that there are."""

    @property
    def image(self) -> bool:
        """Whether the prompt shows an image."""


def build(shape: Shape) -> tuple[nn.Module, dict[str, Any]]:
    """A model that never ends by itself, and one prompt; the same in every process."""
    if shape.subject:
        return _subject(shape.subject)
    torch.manual_seed(0)
    text = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.hidden * 8 // 3,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        max_position_embeddings=shape.prompt_tokens + shape.new_tokens,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    text._attn_implementation = "sdpa"
    ids = torch.randint(3, shape.vocabulary, (1, shape.prompt_tokens))
    if shape.image:
        return _with_image(text, ids)
    return LlamaForCausalLM(text).eval(), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _with_image(text: LlamaConfig, ids: torch.Tensor) -> tuple[nn.Module, dict[str, Any]]:
    """A LLaVA with a tower so small that it costs nothing, and a prompt of which `IMAGE_TOKENS` behind the first are the image's."""
    side = math.isqrt(IMAGE_TOKENS)
    tower = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=14 * side, patch_size=14
    )
    config = LlavaConfig(vision_config=tower, text_config=text, image_token_index=2, image_seq_length=IMAGE_TOKENS)
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = None
    ids[:, 1 : 1 + IMAGE_TOKENS] = config.image_token_index
    pixels = torch.randn(1, 3, 14 * side, 14 * side)
    return model, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}


def smoothed_layers(model: nn.Module) -> tuple[int, ...] | None:
    """The option `layers` of the method: its default band, or all layers of a short stack."""
    layers = len(innermost_decoder(model).layers)
    return tuple(range(layers)) if layers <= ALL_SMOOTHED else None


def twin(model: nn.Module) -> nn.Module:
    """A second model over the same weights, so that what a library leaves on its modules does not slow the first."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def _subject(name: str) -> tuple[nn.Module, dict[str, Any]]:
    from probes.subjects import Item, load_subject
    from probes.subjects.bundled import own_scenes
    from probes.subjects.emoji.captions import PROMPT

    subject = load_subject(name)
    (scene,) = own_scenes(name, 1)
    subject.model.generation_config.eos_token_id = None
    return subject.model, subject.encode([Item(scene.image_id, scene.image, PROMPT)])
