"""LLaVA: a CLIP or SigLIP tower, a projector, and any text model; one token a patch, tiles in the later ones."""

import torch
import transformers as hf

from tests.zoo.parts import IMAGE, TEXT, VIDEO, VISION, with_images


def llava(batch):
    vision = hf.CLIPVisionConfig(**VISION, patch_size=8, projection_dim=16)
    config = hf.LlavaConfig(
        vision_config=vision, text_config=hf.LlamaConfig(**TEXT), image_token_index=IMAGE, image_seq_length=4, vision_feature_layer=-2
    )
    return hf.LlavaForConditionalGeneration, config, {**with_images(4, batch), "pixel_values": torch.randn(batch, 3, 16, 16)}


def llava_next(batch):
    vision = hf.CLIPVisionConfig(**VISION, patch_size=8, projection_dim=16)
    config = hf.LlavaNextConfig(
        vision_config=vision,
        text_config=hf.LlamaConfig(**TEXT),
        image_token_index=IMAGE,
        vision_feature_layer=-2,
        image_grid_pinpoints=[[16, 32], [32, 16]],
    )
    # one 2 x 2 base tile, then a 2 x 4 tiling with a newline token a row: 4 + 2 * (4 + 1)
    sizes = torch.tensor([[16, 32]] * batch)
    return (
        hf.LlavaNextForConditionalGeneration,
        config,
        {**with_images(14, batch), "pixel_values": torch.randn(batch, 3, 3, 16, 16), "image_sizes": sizes},
    )


def llava_onevision(batch):
    vision = hf.SiglipVisionConfig(**VISION, patch_size=8, vision_use_head=False)
    config = hf.LlavaOnevisionConfig(
        vision_config=vision,
        text_config=hf.Qwen2Config(**TEXT),
        image_token_index=IMAGE,
        video_token_index=VIDEO,
        image_grid_pinpoints=[[16, 32], [32, 16]],
        vision_feature_layer=-1,
    )
    sizes = torch.tensor([[16, 32]] * batch)
    return (
        hf.LlavaOnevisionForConditionalGeneration,
        config,
        {**with_images(14, batch), "pixel_values": torch.randn(batch, 3, 3, 16, 16), "image_sizes": sizes},
    )


FAMILIES = (llava, llava_next, llava_onevision)
