"""The bundled subject's model and processor: a LLaVA of the ordinary classes, small, with a word-level tokenizer of its own.

A CLIP tower reads 112 x 112 pixels as 64 patches; a two-layer projector turns them into 64 image tokens; a Llama decoder of twelve
layers, whose output words are its input words (tied embeddings), writes the caption.
"""

import re

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from probes.subjects.emoji.captions import PROMPT, template_text
from probes.subjects.emoji.kinds import KINDS
from probes.subjects.emoji.scenes import SIZE
from probes.subjects.emoji.vocabulary import CATEGORIES

PATCH = 14
PATCHES = (SIZE // PATCH) ** 2
LAYERS = 12
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
PAD, BOS, EOS, UNKNOWN, IMAGE = range(5)
PROMPT_TEMPLATE = "USER: <image> {prompt} ASSISTANT:"
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}USER:{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %} <image>{% elif part['type'] == 'text' %} {{ part['text'] }}{% endif %}{% endfor %}"
    "{% else %} ASSISTANT:{% for part in message['content'] %}{% if part['type'] == 'text' %} {{ part['text'] }}{% endif %}{% endfor %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)
PUNCTUATION = "[.,:]"


def prompt_text(prompt: str = PROMPT) -> str:
    """The text that asks the subject for a caption: one ``<image>`` and the request, in the form that it was trained on."""
    return PROMPT_TEMPLATE.format(prompt=prompt)


def words() -> list[str]:
    """Every token of the subject: the special ones, then punctuation and words, a word with the mark of the space before it."""
    text = template_text() + " " + " ".join(f"{c.noun} {c.plural}" for c in CATEGORIES) + " " + " ".join(k.name for k in KINDS)
    found = sorted(set(re.findall(r"[^\s.,:]+", text.replace("<image>", ""))))
    return [*SPECIAL, ".", ",", ":", *("▁" + word for word in found)]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer that puts BOS first, pads on the left, and decodes to English without stray spaces."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words())}, unk_token="<unk>"))
    mark = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([mark, pre_tokenizers.Split(Regex(PUNCTUATION), "isolated")])
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", BOS)])
    names = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), SPECIAL, strict=False))
    tokenizer.add_special_tokens([AddedToken("<image>", lstrip=True, special=True)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        extra_special_tokens={"image_token": AddedToken("<image>", lstrip=True, special=True)},
        model_max_length=512,
        **names,
    )


def build_processor() -> LlavaProcessor:
    """The processor: scales any image to 112 x 112 pixels and writes 64 image tokens in place of ``<image>``."""
    images = CLIPImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_convert_rgb=True
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=build_tokenizer(),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        image_token="<image>",
        num_additional_image_tokens=1,
    )


def configuration() -> LlavaConfig:
    """The sizes of the subject."""
    vision = CLIPVisionConfig(
        hidden_size=96,
        intermediate_size=384,
        num_hidden_layers=5,
        num_attention_heads=4,
        image_size=SIZE,
        patch_size=PATCH,
        projection_dim=96,
    )
    text = LlamaConfig(
        vocab_size=len(words()),
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        attention_dropout=0.05,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE,
        image_seq_length=PATCHES,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )


def build(seed: int = 0) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """A subject with random weights, in evaluation mode, and its processor; the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(configuration()).eval()
    model.generation_config = GenerationConfig(bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, do_sample=False, max_new_tokens=160)
    return model, build_processor()
