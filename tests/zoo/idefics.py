"""Idefics3 and SmolVLM: patches of several crops, shuffled into fewer tokens."""

import torch
import transformers as hf

from tests.zoo.parts import IMAGE, TEXT, VISION, with_images


def _idefics(config_class, model_class, batch: int):
    config = config_class(
        vision_config=dict(**VISION, patch_size=4), text_config=hf.LlamaConfig(**TEXT), image_token_id=IMAGE, scale_factor=2
    )
    return model_class, config, {**with_images(4, batch), "pixel_values": torch.randn(batch, 1, 3, 16, 16)}


def idefics3(batch):
    return _idefics(hf.Idefics3Config, hf.Idefics3ForConditionalGeneration, batch)


def smolvlm(batch):
    return _idefics(hf.SmolVLMConfig, hf.SmolVLMForConditionalGeneration, batch)


FAMILIES = (idefics3, smolvlm)
