"""A subject that is not the project's: a tiny random LLaVA of six layers in a folder, with images and objects of its own."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from PIL import Image

from tests import zoo
from tests.analysis.answering.families import llava as llava_processor
from tests.zoo.llava import llava

FILES = {"b.png": 917, "a.png": 31, "d.png": 5, "c.png": 400}
"""Numbers of the images, none of which a file's name or place tells."""
OBJECTS = {917: ("cat",), 31: ("dog", "dining table"), 5: (), 400: ("cat", "dog")}
CATEGORIES = {3: "dog", 8: "cat", 9: "dining table"}


def save_subject(folder: Path) -> Path:
    """The model and its processor."""
    torch.manual_seed(0)
    _, config, _ = llava(1)
    config.text_config.num_hidden_layers = 6
    model = hf.LlavaForConditionalGeneration(config)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.25, generator=generator)
    # it never ends by itself, which a random model may do at once, nor says what stands for an image
    special = [zoo.PAD, zoo.BOS, zoo.EOS, zoo.IMAGE, zoo.VIDEO, zoo.VISION_START, zoo.VISION_END]
    model.generation_config = hf.GenerationConfig(pad_token_id=zoo.PAD, bos_token_id=zoo.BOS, eos_token_id=None, suppress_tokens=special)
    model.save_pretrained(folder)
    llava_processor().save_pretrained(folder)
    return folder


def save_images(folder: Path) -> Path:
    """Four images of different sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    for number, name in enumerate(FILES):
        Image.fromarray(draw.integers(0, 256, (24 + number, 30, 3), dtype=np.uint8)).save(folder / name)
    return folder


def save_annotations(path: Path) -> Path:
    """What is in them, in COCO's instances format; the file lists an image that is not there too."""
    numbers = {name: number for number, name in CATEGORIES.items()}
    pairs = [(image, numbers[name]) for image, names in OBJECTS.items() for name in names]
    content = {
        "images": [{"id": number, "file_name": name} for name, number in FILES.items()] + [{"id": 0, "file_name": "z.png"}],
        "categories": [{"id": number, "name": name} for number, name in CATEGORIES.items()],
        "annotations": [{"id": i, "image_id": image, "category_id": category} for i, (image, category) in enumerate([*pairs, (0, 3)])],
    }
    path.write_text(json.dumps(content))
    return path
