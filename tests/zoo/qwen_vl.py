"""Qwen-VL: patches of any grid, merged two by two, and positions of three axes."""

import torch
import transformers as hf

from tests.zoo.parts import BOS, IMAGE, TEXT, VIDEO, VISION_END, VISION_START, left_padded, prompt

VISION = dict(depth=2, hidden_size=32, num_heads=2, patch_size=4, spatial_merge_size=2, temporal_patch_size=2, in_channels=3)
MROPE = dict(rope_parameters={"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0})
SPECIAL = dict(image_token_id=IMAGE, video_token_id=VIDEO, vision_start_token_id=VISION_START, vision_end_token_id=VISION_END)


def _inputs(batch: int, before=(BOS, 5, VISION_START), after=(VISION_END, 11, 13, 4)) -> dict[str, torch.Tensor]:
    text = left_padded([prompt(4, before, after if row % 2 == 0 else (VISION_END, 4)) for row in range(batch)])
    return {
        **text,
        "pixel_values": torch.randn(16 * batch, 3 * 2 * 4 * 4),
        "image_grid_thw": torch.tensor([[1, 4, 4]] * batch),
        "mm_token_type_ids": (text["input_ids"] == IMAGE).int(),
    }


def qwen2_vl(batch):
    config = hf.Qwen2VLConfig(vision_config=dict(**VISION, embed_dim=32, mlp_ratio=2), text_config={**TEXT, **MROPE}, **SPECIAL)
    return hf.Qwen2VLForConditionalGeneration, config, _inputs(batch)


def qwen2_5_vl(batch):
    vision = dict(**VISION, intermediate_size=32, out_hidden_size=32, window_size=16, fullatt_block_indexes=[1])
    config = hf.Qwen2_5_VLConfig(vision_config=vision, text_config={**TEXT, **MROPE}, **SPECIAL)
    return hf.Qwen2_5_VLForConditionalGeneration, config, _inputs(batch)


def qwen3_vl(batch):
    vision = dict(**VISION, intermediate_size=32, out_hidden_size=32, num_position_embeddings=16, deepstack_visual_indexes=[0])
    config = hf.Qwen3VLConfig(vision_config=vision, text_config={**TEXT, "head_dim": 8, **MROPE}, **SPECIAL)
    return hf.Qwen3VLForConditionalGeneration, config, _inputs(batch)


FAMILIES = (qwen2_vl, qwen2_5_vl, qwen3_vl)
