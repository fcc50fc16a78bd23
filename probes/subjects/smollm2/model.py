"""The subject's model and processor: a LLaVA of the ordinary classes round SmolLM2, with a small CLIP tower.

The tower reads the scenes as 64 patches; a two-layer projector turns them into 64 image tokens inside the user's turn of SmolLM2's chat
format, without a system turn. The first token, <|im_start|>, is what the language model treats as its beginning of sequence.
"""

import torch
from torch import Tensor
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.initialization import no_init_weights

from probes.subjects.smollm2.base import BOS, EOS, IMAGE, base_tokenizer, text_config

SIZE = 168
GRID = 8
PATCH = SIZE // GRID
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<empty_output>\n{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def vision_config(size: int = SIZE) -> CLIPVisionConfig:
    """The tower: five layers of 96."""
    return CLIPVisionConfig(
        hidden_size=96,
        intermediate_size=384,
        num_hidden_layers=5,
        num_attention_heads=4,
        image_size=size,
        patch_size=size // GRID,
        projection_dim=96,
    )


def configuration() -> LlavaConfig:
    """The sizes of the subject."""
    return LlavaConfig(
        vision_config=vision_config(),
        text_config=text_config(),
        image_token_index=IMAGE,
        image_seq_length=GRID**2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )


def build(decoder: dict[str, Tensor], sight: dict[str, Tensor]) -> LlavaForConditionalGeneration:
    """The model in evaluation mode, float32, from the decoder's plain weights and those of `tower.Sight`.

    Raises
    ------
    RuntimeError : a weight is missing or has another shape
    """
    # every weight comes from outside, and drawing 135 million numbers for them first takes seconds
    with torch.random.fork_rng(devices=[]), no_init_weights():
        model = LlavaForConditionalGeneration(configuration()).eval()
    model.model.language_model.load_state_dict(decoder)
    model.tie_weights()
    tower = {name.removeprefix("tower."): value for name, value in sight.items() if name.startswith("tower.")}
    model.model.vision_tower.load_state_dict(tower)
    projector = {name: value for name, value in sight.items() if not name.startswith("tower.")}
    model.model.multi_modal_projector.load_state_dict(projector)
    model.generation_config = GenerationConfig(bos_token_id=BOS, eos_token_id=EOS, pad_token_id=EOS, do_sample=False, max_new_tokens=256)
    return model


def build_processor() -> LlavaProcessor:
    """The processor: scales any image to the tower's size and writes 64 image tokens into the user's turn."""
    tokenizer = base_tokenizer()
    images = CLIPImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_convert_rgb=True
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        image_token=tokenizer.image_token,
        num_additional_image_tokens=1,
    )


def prompt_text(prompt: str) -> str:
    """The chat that asks the subject for a caption, one image token in it."""
    return f"<|im_start|>user\n<empty_output>\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
