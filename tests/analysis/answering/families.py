"""Tiny random models saved to folders with the real processors of their families, as a checkpoint of the hub lies on disk.

The models are the zoo's; the tokenizer knows 64 words, with the special tokens where the zoo's configurations have them. The chat
templates have the form of each family's own. The image processors are those that need Pillow alone.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers as hf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from probes.subjects.processor import NoVideos, without_videos
from tests import zoo

COUNTS = ("image_seq_len", "image_seq_length", "num_image_tokens", "vision_feature_select_strategy")
WORDS = "Please describe this image in detail. What is a the ? cat dog table USER: ASSISTANT: User: Assistant: user assistant"


def tokenizer(
    image: str, *others: str, video: str = "<video>", start: str = "<v>", end: str = "<v/>", bos: bool = True, **named: str
) -> Any:
    """A fast tokenizer of 64 words split at blanks; `others` are further special tokens, `named` those that it has names for."""
    special = {"<pad>": zoo.PAD, "<s>": zoo.BOS, "</s>": zoo.EOS, image: zoo.IMAGE, video: zoo.VIDEO}
    special |= {start: zoo.VISION_START, end: zoo.VISION_END}
    words = ["<unk>", *others, *WORDS.split()]
    fillers = [f"w{number}" for number in range(zoo.IMAGE - 3 - len(words))]
    table = {word: number for number, word in enumerate([*words, *fillers], 3)} | special
    made = Tokenizer(models.WordLevel(table, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.decoder = decoders.WordPiece(prefix="##")
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in (*special, *others)])
    if bos:
        made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", zoo.BOS)])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", extra_special_tokens=named
    )


def _template(image: str, before: str, after: str, system: str = "") -> str:
    """Images where they stand in the content, texts as they are, framed by the roles."""
    parts = (
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
        + image
        + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    )
    return f"{system}{{% for message in messages %}}{before}{parts}{after}{{% endfor %}}"


VICUNA = _template("<image> ", "USER: ", " ", "") + "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
CHATML_END = "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"


def chatml(image: str) -> str:
    """Roles between <|im_start|> and <|im_end|>."""
    return _template(image, "<|im_start|> user ", " <|im_end|> ") + CHATML_END


def llava():
    images = hf.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    counts = dict(patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1)
    return hf.LlavaProcessor(images, tokenizer("<image>", image_token="<image>"), chat_template=VICUNA, **counts)


def llava_next():
    pins = [[16, 32], [32, 16]]
    images = hf.LlavaNextImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}, image_grid_pinpoints=pins)
    counts = dict(patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1)
    return hf.LlavaNextProcessor(images, tokenizer("<image>", image_token="<image>"), chat_template=VICUNA, **counts)


def llava_onevision():
    pins = [[16, 32], [32, 16]]
    images = hf.LlavaOnevisionImageProcessorPil(size={"height": 16, "width": 16}, image_grid_pinpoints=pins)
    words = tokenizer("<image>", "<|im_start|>", "<|im_end|>", bos=False, image_token="<image>", video_token="<video>")
    counts = dict(num_image_tokens=4, vision_feature_select_strategy="full")
    return without_videos(hf.LlavaOnevisionProcessor)(images, words, NoVideos(), chat_template=chatml("<image> "), **counts)


def _qwen(processor: Callable) -> Any:
    images = hf.Qwen2VLImageProcessorPil(patch_size=4, merge_size=2, temporal_patch_size=2, min_pixels=64, max_pixels=512)
    names = dict(video="<|video_pad|>", start="<|vision_start|>", end="<|vision_end|>", bos=False)
    words = tokenizer("<|image_pad|>", "<|im_start|>", "<|im_end|>", **names)
    return without_videos(processor)(images, words, NoVideos(), chat_template=chatml("<|vision_start|><|image_pad|><|vision_end|>"))


def qwen2_vl():
    return _qwen(hf.Qwen2VLProcessor)


def qwen2_5_vl():
    return _qwen(hf.Qwen2_5_VLProcessor)


def qwen3_vl():
    return _qwen(hf.Qwen3VLProcessor)


def instructblip():
    images = hf.BlipImageProcessorPil(size={"height": 16, "width": 16})
    return hf.InstructBlipProcessor(images, tokenizer("<image>"), tokenizer("<image>"), num_query_tokens=4)


def _idefics(images: Any, processor: Callable, *video: NoVideos) -> Any:
    places = [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
    words = tokenizer("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *places, image_token="<image>")
    template = _template("<image>", "User: ", "<end_of_utterance> ") + "{% if add_generation_prompt %}Assistant:{% endif %}"
    return processor(images, words, *video, image_seq_len=4, chat_template=template)


def idefics3():
    images = hf.Idefics3ImageProcessorPil(size={"longest_edge": 32}, max_image_size={"longest_edge": 16})
    return _idefics(images, hf.Idefics3Processor)


def smolvlm():
    images = hf.SmolVLMImageProcessorPil(size={"longest_edge": 32}, max_image_size={"longest_edge": 16})
    return _idefics(images, without_videos(hf.SmolVLMProcessor), NoVideos())


def paligemma():
    images = hf.SiglipImageProcessorPil(size={"height": 16, "width": 16})
    images.image_seq_length = 4
    return hf.PaliGemmaProcessor(images, tokenizer("<image>", bos=False, image_token="<image>"))


def gemma3():
    images = hf.Gemma3ImageProcessorPil(size={"height": 16, "width": 16}, image_seq_length=4)
    places = dict(start="<end_of_image>", video="<start_of_image>")
    named = dict(image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>")
    words = tokenizer("<image_soft_token>", "<start_of_turn>", "<end_of_turn>", **places, **named)
    template = _template("<start_of_image>", "<start_of_turn> user ", " <end_of_turn> ", "{{ bos_token }}")
    template += "{% if add_generation_prompt %}<start_of_turn> {% endif %}"
    return hf.Gemma3Processor(images, words, chat_template=template, image_seq_length=4)


def internvl():
    images = hf.GotOcr2ImageProcessorPil(size={"height": 16, "width": 16}, crop_to_patches=True, min_patches=1, max_patches=4)
    named = dict(start_image_token="<img>", end_image_token="</img>", context_image_token="<IMG_CONTEXT>", video_token="<video>")
    words = tokenizer("<IMG_CONTEXT>", "<|im_start|>", "<|im_end|>", start="<img>", end="</img>", bos=False, **named)
    return without_videos(hf.InternVLProcessor)(images, words, NoVideos(), image_seq_length=4, chat_template=chatml("<IMG_CONTEXT> "))


PROCESSORS: dict[str, Callable] = {
    made.__name__: made
    for made in (
        llava,
        llava_next,
        llava_onevision,
        qwen2_vl,
        qwen2_5_vl,
        qwen3_vl,
        instructblip,
        idefics3,
        smolvlm,
        paligemma,
        gemma3,
        internvl,
    )
}


def save(family: str, folder: Path) -> Path:
    """Write the zoo's model of a family and its processor to a folder."""
    model, _ = zoo.build(family)
    model.save_pretrained(folder)
    processor = PROCESSORS[family]()
    if not isinstance(getattr(processor, "video_processor", None), NoVideos):
        processor.save_pretrained(folder)
        return folder
    # a processor without its videos cannot save itself; part by part is how most checkpoints of the hub lie there
    processor.image_processor.save_pretrained(folder)
    processor.tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(processor.chat_template)
    counts = {name: getattr(processor, name) for name in COUNTS if hasattr(processor, name)}
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": type(processor).__name__, **counts}))
    return folder
