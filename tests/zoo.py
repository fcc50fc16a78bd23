"""Tiny random-weight models of every family, with inputs ready for `generate`: no hub, no processor, no weights on disk.

Every claim of equality in this project is tested on all of them. Weights are drawn with a standard deviation of 0.25, so that
attention rows and logits are far from uniform. Each decoder has 3 layers (Gemma3: 4, sliding and full in turn).

A batch of two holds a shorter second prompt, left-padded, with an image of its own.
"""

from collections.abc import Callable

import torch
import transformers as hf

VOCABULARY, IMAGE, PAD, BOS, EOS = 64, 60, 0, 1, 2
VISION_START, VISION_END, VIDEO = 62, 63, 61

TEXT = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=512,
    pad_token_id=PAD,
    bos_token_id=BOS,
    eos_token_id=EOS,
)
VISION = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16)
MROPE = dict(rope_parameters={"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0})
QWEN_TOKENS = dict(image_token_id=IMAGE, video_token_id=VIDEO, vision_start_token_id=VISION_START, vision_end_token_id=VISION_END)


def _prompt(n_image: int, before=(BOS, 5, 9), after=(7, 11, 13, 4)) -> list[int]:
    return [*before, *[IMAGE] * n_image, *after]


def _batch(prompts: list[list[int]]) -> dict[str, torch.Tensor]:
    """Left-pad to the longest prompt."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    return {"input_ids": ids, "attention_mask": mask}


def _with_images(n_image: int, batch: int, before=(BOS, 5, 9), after=(7, 11, 13, 4)) -> dict[str, torch.Tensor]:
    """`batch` prompts; every second one lacks the last two tokens of its tail."""
    return _batch([_prompt(n_image, before, after if row % 2 == 0 else after[2:]) for row in range(batch)])


def llava(batch):
    vision = hf.CLIPVisionConfig(**VISION, patch_size=8, projection_dim=16)
    config = hf.LlavaConfig(
        vision_config=vision, text_config=hf.LlamaConfig(**TEXT), image_token_index=IMAGE, image_seq_length=4, vision_feature_layer=-2
    )
    return hf.LlavaForConditionalGeneration, config, {**_with_images(4, batch), "pixel_values": torch.randn(batch, 3, 16, 16)}


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
        {**_with_images(14, batch), "pixel_values": torch.randn(batch, 3, 3, 16, 16), "image_sizes": sizes},
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
        {**_with_images(14, batch), "pixel_values": torch.randn(batch, 3, 3, 16, 16), "image_sizes": sizes},
    )


def _qwen_inputs(batch: int, before=(BOS, 5, VISION_START), after=(VISION_END, 11, 13, 4)) -> dict[str, torch.Tensor]:
    text = _batch([_prompt(4, before, after if row % 2 == 0 else (VISION_END, 4)) for row in range(batch)])
    return {
        **text,
        "pixel_values": torch.randn(16 * batch, 3 * 2 * 4 * 4),
        "image_grid_thw": torch.tensor([[1, 4, 4]] * batch),
        "mm_token_type_ids": (text["input_ids"] == IMAGE).int(),
    }


def qwen2_vl(batch):
    vision = dict(
        depth=2,
        embed_dim=32,
        hidden_size=32,
        num_heads=2,
        mlp_ratio=2,
        patch_size=4,
        spatial_merge_size=2,
        temporal_patch_size=2,
        in_channels=3,
    )
    config = hf.Qwen2VLConfig(vision_config=vision, text_config={**TEXT, **MROPE}, **QWEN_TOKENS)
    return hf.Qwen2VLForConditionalGeneration, config, _qwen_inputs(batch)


def qwen2_5_vl(batch):
    vision = dict(
        depth=2,
        hidden_size=32,
        num_heads=2,
        intermediate_size=32,
        patch_size=4,
        spatial_merge_size=2,
        temporal_patch_size=2,
        out_hidden_size=32,
        window_size=16,
        fullatt_block_indexes=[1],
        in_channels=3,
    )
    config = hf.Qwen2_5_VLConfig(vision_config=vision, text_config={**TEXT, **MROPE}, **QWEN_TOKENS)
    return hf.Qwen2_5_VLForConditionalGeneration, config, _qwen_inputs(batch)


def qwen3_vl(batch):
    vision = dict(
        depth=2,
        hidden_size=32,
        num_heads=2,
        intermediate_size=32,
        patch_size=4,
        spatial_merge_size=2,
        temporal_patch_size=2,
        out_hidden_size=32,
        in_channels=3,
        num_position_embeddings=16,
        deepstack_visual_indexes=[0],
    )
    config = hf.Qwen3VLConfig(vision_config=vision, text_config={**TEXT, "head_dim": 8, **MROPE}, **QWEN_TOKENS)
    return hf.Qwen3VLForConditionalGeneration, config, _qwen_inputs(batch)


def _instructblip(text_config, batch: int):
    config = hf.InstructBlipConfig(
        vision_config=dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8),
        qformer_config=dict(
            vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, encoder_hidden_size=16
        ),
        text_config=text_config,
        num_query_tokens=4,
        image_token_index=IMAGE,
    )
    # the processor puts the query tokens before the padding, so a short prompt has a hole in the middle of its mask
    tails = [[BOS, 5, 9, 7, 11, 13, 4] if row % 2 == 0 else [BOS, 5, 9, 13, 4] for row in range(batch)]
    text = _batch(tails)
    images = torch.full((batch, 4), IMAGE)
    inputs = {
        "input_ids": torch.cat((images, text["input_ids"]), 1),
        "attention_mask": torch.cat((torch.ones_like(images), text["attention_mask"]), 1),
        "pixel_values": torch.randn(batch, 3, 16, 16),
        "qformer_input_ids": torch.tensor([[3, 4, 5]] * batch),
        "qformer_attention_mask": torch.ones(batch, 3, dtype=torch.long),
    }
    return hf.InstructBlipForConditionalGeneration, config, inputs


def instructblip(batch):
    return _instructblip(hf.LlamaConfig(**TEXT), batch)


def instructblip_opt(batch):
    text = hf.OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=512,
        word_embed_proj_dim=32,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        dropout=0.0,
    )
    return _instructblip(text, batch)


def _idefics(config_class, model_class, batch: int):
    config = config_class(
        vision_config=dict(**VISION, patch_size=4), text_config=hf.LlamaConfig(**TEXT), image_token_id=IMAGE, scale_factor=2
    )
    return model_class, config, {**_with_images(4, batch), "pixel_values": torch.randn(batch, 1, 3, 16, 16)}


def idefics3(batch):
    return _idefics(hf.Idefics3Config, hf.Idefics3ForConditionalGeneration, batch)


def smolvlm(batch):
    return _idefics(hf.SmolVLMConfig, hf.SmolVLMForConditionalGeneration, batch)


def paligemma(batch):
    config = hf.PaliGemmaConfig(
        vision_config=hf.SiglipVisionConfig(**VISION, patch_size=8, vision_use_head=False),
        text_config=hf.GemmaConfig(**{**TEXT, "num_key_value_heads": 1}, head_dim=8),
        image_token_index=IMAGE,
        projection_dim=32,
        hidden_size=32,
    )
    text = _with_images(4, batch, before=(), after=(BOS, 11, 13, 4))
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
    text = _with_images(4, batch)
    types = (text["input_ids"] == IMAGE).long()
    return hf.Gemma3ForConditionalGeneration, config, {**text, "pixel_values": torch.randn(batch, 3, 16, 16), "token_type_ids": types}


def internvl(batch):
    config = hf.InternVLConfig(
        vision_config=hf.InternVLVisionConfig(**{**VISION, "image_size": [16, 16]}, patch_size=[4, 4]),
        text_config=hf.Qwen2Config(**TEXT),
        image_token_id=IMAGE,
        image_seq_length=4,
        downsample_ratio=0.5,
    )
    return hf.InternVLForConditionalGeneration, config, {**_with_images(4, batch), "pixel_values": torch.randn(batch, 3, 16, 16)}


def _text_only(batch: int) -> dict[str, torch.Tensor]:
    return _batch([[BOS, 5, 9, 7, 11, 13, 4, 8, 15, 22, 31] if row % 2 == 0 else [BOS, 5, 9, 13, 4, 40, 41, 17] for row in range(batch)])


def llama(batch):
    return hf.LlamaForCausalLM, hf.LlamaConfig(**TEXT), _text_only(batch)


def qwen3(batch):
    return hf.Qwen3ForCausalLM, hf.Qwen3Config(**TEXT, head_dim=8), _text_only(batch)


def mistral(batch):
    return hf.MistralForCausalLM, hf.MistralConfig(**TEXT, sliding_window=8), _text_only(batch)


FAMILIES: dict[str, Callable] = {
    family.__name__: family
    for family in (
        llava,
        llava_next,
        llava_onevision,
        qwen2_vl,
        qwen2_5_vl,
        qwen3_vl,
        instructblip,
        instructblip_opt,
        idefics3,
        smolvlm,
        paligemma,
        gemma3,
        internvl,
        llama,
        qwen3,
        mistral,
    )
}


def build(name: str, attn: str = "sdpa", seed: int = 0, batch: int = 1):
    """A tiny random model of one family and `batch` left-padded prompts for it.

    Parameters
    ----------
    name : a key of `FAMILIES`
    attn : "sdpa" or "eager", for the whole model
    seed : weights and pixels depend on it alone; pixels of the first row also on nothing else
    batch : rows; every second one has a shorter prompt

    Returns
    -------
    model (float32, eval, greedy, never ends by itself), inputs for `model.generate(**inputs, max_new_tokens=n)`
    """
    torch.manual_seed(seed)
    model_class, config, inputs = FAMILIES[name](batch)
    config._attn_implementation = attn
    torch.manual_seed(seed + 1)
    model = model_class(config).eval()
    generator = torch.Generator().manual_seed(seed + 2)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.25, generator=generator)
    for part in (model, getattr(model, "language_model", None)):
        if part is not None and hasattr(part, "generation_config"):
            part.generation_config.eos_token_id = None
            part.generation_config.pad_token_id = PAD
            part.generation_config.bos_token_id = BOS
            part.generation_config.do_sample = False
    return model, inputs
