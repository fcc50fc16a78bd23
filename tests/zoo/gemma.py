"""PaliGemma and Gemma 3: attention in both directions over the image; Gemma 3 has sliding and full layers in turn."""

import torch
import transformers as hf

from tests.zoo.parts import BOS, IMAGE, TEXT, VIDEO, VISION, VISION_START, with_images


def paligemma(batch):
    config = hf.PaliGemmaConfig(
        vision_config=hf.SiglipVisionConfig(**VISION, patch_size=8, vision_use_head=False),
        text_config=hf.GemmaConfig(**{**TEXT, "num_key_value_heads": 1}, head_dim=8),
        image_token_index=IMAGE,
        projection_dim=32,
        hidden_size=32,
    )
    text = with_images(4, batch, before=(), after=(BOS, 11, 13, 4))
    return (
        hf.PaliGemmaForConditionalGeneration,
        config,
        {**text, "pixel_values": torch.randn(batch, 3, 16, 16), "token_type_ids": torch.zeros_like(text["input_ids"])},
    )


def gemma3(batch):
    text_config = hf.Gemma3TextConfig(
        **{**TEXT, "num_hidden_layers": 4},
        head_dim=8,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"] * 2,
        query_pre_attn_scalar=8,
    )
    config = hf.Gemma3Config(
        vision_config=hf.SiglipVisionConfig(**VISION, patch_size=4, vision_use_head=False),
        text_config=text_config,
        mm_tokens_per_image=4,
        image_token_index=IMAGE,
        boi_token_index=VIDEO,
        eoi_token_index=VISION_START,
    )
    text = with_images(4, batch)
    types = (text["input_ids"] == IMAGE).long()
    return hf.Gemma3ForConditionalGeneration, config, {**text, "pixel_values": torch.randn(batch, 3, 16, 16), "token_type_ids": types}


FAMILIES = (paligemma, gemma3)
