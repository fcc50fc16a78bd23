"""Llama 4: layers that see a chunk of the text (wider than any text here, as in captions), one that sees all, and experts."""

import torch
import transformers as hf

from tests.zoo.parts import IMAGE, TEXT, VISION, with_images


def llama4(batch):
    """Its `get_decoder()` gives a whole causal model, not the stack of layers."""
    text = {**TEXT, "num_hidden_layers": 4, "head_dim": 8, "intermediate_size_mlp": 64, "num_local_experts": 2, "attention_chunk_size": 64}
    vision = {**VISION, "intermediate_size": 64, "patch_size": 4, "pixel_shuffle_ratio": 0.5}
    vision |= {"vision_output_dim": 32, "projector_input_dim": 32, "projector_output_dim": 32}
    config = hf.Llama4Config(vision_config=vision, text_config={**text, "interleave_moe_layer_step": 2}, image_token_index=IMAGE)
    return hf.Llama4ForConditionalGeneration, config, {**with_images(4, batch), "pixel_values": torch.randn(batch, 3, 16, 16)}


FAMILIES = (llama4,)
