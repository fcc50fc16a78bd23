"""Subjects: how they are loaded, what they make of items, which items they refuse."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from probes.command.cli import BadInput
from probes.subjects import Item, Subject, load_subject
from probes.subjects.emoji import WEIGHTS
from probes.subjects.loading import revision_of


def test_a_folder_loads_as_any_model_does(subject):
    assert type(subject.model).__name__ == "LlavaForConditionalGeneration"
    assert not subject.model.training
    assert subject.model.dtype == torch.float32
    assert subject.model.get_decoder().config._attn_implementation == "sdpa"


def test_the_revision_is_that_of_all_files_that_decide_answers(tmp_path):
    copy = Path(shutil.copytree(WEIGHTS, tmp_path / "copy"))
    assert revision_of(str(copy)) == revision_of("emoji") == load_subject(str(copy)).revision
    (copy / "README.md").write_text("decides nothing")
    assert revision_of(str(copy)) == revision_of("emoji")
    found = {revision_of("emoji")}
    for name in ("model.safetensors", "chat_template.jinja", "generation_config.json", "processor_config.json", "tokenizer.json"):
        with (copy / name).open("ab") as file:
            file.write(b" ")
        found.add(revision_of(str(copy)))
    assert len(found) == 6


def test_prompts_are_padded_on_the_left_and_hold_the_image(subject, items):
    inputs = subject.encode([items[0], Item(9, items[1].image, "Describe this.")])
    mask = inputs["attention_mask"]
    assert mask[0].all()
    assert not mask[1].all()
    assert mask[1, -1] == 1
    assert ((inputs["input_ids"] == subject.model.config.image_token_id).sum(1) == 64).all()
    assert inputs["pixel_values"].shape[0] == 2
    bos = subject.tokenizer.bos_token_id
    assert (inputs["input_ids"] == bos).sum(1).tolist() == [1, 1]


@pytest.mark.slow
def test_half_precision_reaches_the_pixels_only(subject_folder, items):
    inputs = load_subject(str(subject_folder), dtype="bfloat16").encode(items[:1])
    assert inputs["pixel_values"].dtype == torch.bfloat16
    assert inputs["input_ids"].dtype == torch.long


def test_a_processor_without_a_chat_template_takes_prompts_as_they_are(subject, items):
    class Plain:
        tokenizer = subject.tokenizer
        image_processor = subject.processor.image_processor

        def __call__(self, images, text, **options):
            return subject.processor(images=images, text=text, **options)

    plain = Subject("plain", subject.model, Plain())
    assert plain.encode([Item(0, items[0].image, "USER: <image> Describe. ASSISTANT:")])["input_ids"].shape[0] == 1
    with pytest.raises(BadInput, match="image's token"):
        plain.encode([Item(0, items[0].image, "Describe.")])


def test_a_model_without_an_image_token_is_no_subject(subject, items):
    from tests.zoo import build

    text, _ = build("llama")
    with pytest.raises(BadInput, match="no image token in its configuration"):
        Subject("text", text, subject.processor).encode(items[:1])


def test_text_and_tokens_are_each_others_inverse(subject):
    tokens = subject.tokens("A cat, a dog.")
    assert tokens[-1] == subject.tokenizer.eos_token_id
    assert subject.text(tokens) == "A cat, a dog."
    assert len(subject.pieces(tokens)) == len(tokens)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (dict(image_id=-1, image="a.png"), "image_id must be an integer from 0 on; got -1"),
        (dict(image_id=True, image="a.png"), "image_id must be an integer"),
        (dict(image_id=1.0, image="a.png"), "image_id must be an integer from 0 on; got 1.0"),
        (dict(image_id="1", image="a.png"), "image_id must be an integer"),
        (dict(image_id=np.float64(1), image="a.png"), "image_id must be an integer"),
        (dict(image_id=2**63, image="a.png"), "image_id must be at most 9223372036854775807; got 9223372036854775808"),
        (dict(image_id=0, image=np.zeros((2, 2))), "image must be a PIL image or a path; got ndarray"),
        (dict(image_id=0, image=None), "got NoneType"),
        (dict(image_id=0, image="a.png", prompt="  "), "prompt must say something; it is empty"),
        (dict(image_id=0, image="a.png", prompt=b"What?"), "prompt must say something; it is of type bytes"),
        (dict(image_id=0, image="a.png", prompt="What\udcff?"), r"Item.prompt must be UTF-8; it is not at character 5: 'What\\udcff\?'"),
    ],
)
def test_items_that_cannot_be_are_refused(given, complaint):
    with pytest.raises(BadInput, match=complaint) as caught:
        unpacked(**given)
    assert "\n" not in str(caught.value)


def unpacked(image_id, image, prompt="What?") -> Item:
    """By hand, since here annotations are checked before any line of the constructor runs."""
    item = object.__new__(Item)
    vars(item).update(image_id=image_id, image=image, prompt=prompt)
    item.__post_init__()
    return item


def test_numbers_of_numpy_are_numbers():
    for kind in (np.int64, np.uint8, np.int32):
        item = unpacked(kind(5), "a.png")
        assert (item.image_id, type(item.image_id)) == (5, int)
    assert Item(2**63 - 1, "a.png").image_id == 2**63 - 1


def test_an_item_knows_the_name_of_its_file(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a b.png")
    with Image.open(tmp_path / "a b.png") as opened:
        assert [Item(0, image).file for image in (tmp_path / "a b.png", str(tmp_path / "a b.png"), opened)] == ["a b.png"] * 3
    assert Item(0, Image.new("RGB", (4, 4))).file == ""
    assert Item(0, Path("x/\x1b[31ma\udcff.png")).file == "\\x1b[31ma\\udcff.png"


def test_a_missing_image_is_named():
    with pytest.raises(BadInput, match=r"nowhere\.png: there is no such image \(item 4\)"):
        Item(4, "nowhere.png").pixels()


@pytest.mark.parametrize("pixels", [150, 300])
def test_an_image_bomb_is_too_large_and_not_damaged(tmp_path, monkeypatch, pixels):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # up to twice that Pillow only warns
    path = tmp_path / "large.png"
    Image.new("RGB", (pixels // 10, 10)).save(path)
    with pytest.raises(BadInput, match=r"large\.png: .*\(item 3\); it is too large, more than the \d+ pixels that are decoded\. Scale it"):
        Item(3, path).pixels()


def test_what_is_wrong_with_an_image_is_said(tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "torn.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "torn.png").read_bytes()[:60])
    (tmp_path / "text.png").write_text("no image")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "odd.dds")
    content = bytearray((tmp_path / "odd.dds").read_bytes())
    content[80:84] = bytes(4)  # flags of the pixels: none, which raises NotImplementedError, as damaged AVIF files raise RuntimeError
    (tmp_path / "odd.dds").write_bytes(content)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    damaged = dict.fromkeys(("torn.png", "odd.dds"), "cut off or damaged")
    others = {
        "text.png": "in no format that Pillow knows",
        ".": "a folder",
        "pipe.png": "a pipe or a device",
        "loop.png": "a link that leads back to itself",
        "n" * 300 + ".png": r"out of reach \(File name too long\)",
    }
    for name, trouble in {**damaged, **others}.items():
        with pytest.raises(BadInput, match=f"the image cannot be read .*it is {trouble}"):
            Item(1, tmp_path / name).pixels()
