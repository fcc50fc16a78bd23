"""InternVL: a vision tower of its own, its pixels shuffled into fewer tokens."""

import torch
import transformers as hf

from tests.zoo.parts import IMAGE, TEXT, VISION, with_images


def internvl(batch):
    config = hf.InternVLConfig(
        vision_config=hf.InternVLVisionConfig(**{**VISION, "image_size": [16, 16]}, patch_size=[4, 4]),
        text_config=hf.Qwen2Config(**TEXT),
        image_token_id=IMAGE,
        image_seq_length=4,
        downsample_ratio=0.5,
    )
    return hf.InternVLForConditionalGeneration, config, {**with_images(4, batch), "pixel_values": torch.randn(batch, 3, 16, 16)}


FAMILIES = (internvl,)
