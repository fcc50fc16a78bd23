"""BLIP-2 and InstructBLIP: a Q-Former asks the image, and its query tokens stand before the padding."""

import torch
import transformers as hf

from tests.zoo.parts import BOS, EOS, IMAGE, PAD, TEXT, VOCABULARY, left_padded


def _blip(config_class, text_config, batch: int):
    config = config_class(
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
    text = left_padded(tails)
    images = torch.full((batch, 4), IMAGE)
    return config, {
        "input_ids": torch.cat((images, text["input_ids"]), 1),
        "attention_mask": torch.cat((torch.ones_like(images), text["attention_mask"]), 1),
        "pixel_values": torch.randn(batch, 3, 16, 16),
    }


def instructblip(batch):
    config, inputs = _blip(hf.InstructBlipConfig, hf.LlamaConfig(**TEXT), batch)
    inputs["qformer_input_ids"] = torch.tensor([[3, 4, 5]] * batch)
    inputs["qformer_attention_mask"] = torch.ones(batch, 3, dtype=torch.long)
    return hf.InstructBlipForConditionalGeneration, config, inputs


def blip2_opt(batch):
    """Its `get_decoder()` gives OPT's whole causal model, not the stack of layers."""
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
    config, inputs = _blip(hf.Blip2Config, text, batch)
    return hf.Blip2ForConditionalGeneration, config, inputs


FAMILIES = (instructblip, blip2_opt)
