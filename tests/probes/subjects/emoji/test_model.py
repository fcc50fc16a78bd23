"""The bundled subject's processor and model: they load as any hub model does, and training can be killed at any time."""

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, LlavaForConditionalGeneration, LlavaProcessor

from probes import load_subject
from probes.subjects.emoji import PROMPT_TEMPLATE, WEIGHTS, build, prompt_text, scenes, train, validation
from probes.subjects.emoji.captions import PROMPT, brief, describe
from probes.subjects.emoji.model import BOS, EOS, IMAGE, PAD, PATCHES, UNKNOWN
from probes.subjects.emoji.train import Batches, EmojiTrainConfig, losses, patch_words
from probes.subjects.emoji.validation import captions, score
from probes.subjects.item import Item
from tests.rounding import assert_close, of_model


@pytest.fixture(scope="module")
def built():
    return build(0)


@pytest.fixture(scope="module")
def reloaded(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("subject")
    built[0].save_pretrained(folder)
    built[1].save_pretrained(folder)
    return folder


def encode(processor, drawn):
    text = [prompt_text()] * len(drawn)
    return processor(text=text, images=[item.image for item in drawn], return_tensors="pt", padding=True)


def test_prompt_is_bos_text_and_the_image_tokens(built):
    inputs = encode(built[1], scenes(2))
    ids = inputs["input_ids"][0].tolist()
    assert ids[0] == BOS
    assert ids.count(IMAGE) == PATCHES == built[0].config.image_seq_length
    assert UNKNOWN not in ids
    assert inputs["pixel_values"].shape == (2, 3, 112, 112)
    assert PROMPT_TEMPLATE.format(prompt=PROMPT) == "USER: <image> Please describe this image in detail. ASSISTANT:"


def test_chat_template_writes_the_prompt(built):
    message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PROMPT}]}]
    assert built[1].apply_chat_template(message, add_generation_prompt=True) == prompt_text()


def test_captions_survive_the_tokenizer(built):
    tokenizer = built[1].tokenizer
    for item in scenes(60, "train"):
        for text in (describe(item), brief(item)):
            ids = tokenizer(text)["input_ids"]
            assert UNKNOWN not in ids
            assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_batches_pad_on_the_left(built):
    ids = built[1].tokenizer(["A dog.", "A dog, a cat."], padding=True, return_tensors="pt")["input_ids"]
    assert (ids[0, :3] == PAD).all()
    assert (ids[:, -1] == ids[0, -1]).all()


def test_the_door_encodes_as_the_processor_does(built, reloaded):
    subject = load_subject(str(reloaded))
    drawn = scenes(2)
    got, want = subject.encode([Item(item.image_id, item.image) for item in drawn]), encode(built[1], drawn)
    assert set(got) == set(want)
    assert all(torch.equal(want[name], got[name]) for name in want)
    assert subject.text(subject.tokens("A dog, a cat.")) == "A dog, a cat."


@pytest.mark.parametrize("loader", [AutoProcessor, LlavaProcessor])
def test_processor_reloads(built, reloaded, loader):
    want, got = encode(built[1], scenes(3)), encode(loader.from_pretrained(reloaded), scenes(3))
    assert set(want) == set(got)
    assert all(torch.equal(want[name], got[name]) for name in want)


def test_model_reloads(built, reloaded):
    inputs = encode(built[1], scenes(2))
    again = LlavaForConditionalGeneration.from_pretrained(reloaded).eval()
    with torch.no_grad():
        assert torch.equal(built[0](**inputs).logits, again(**inputs).logits)
    assert again.generation_config.eos_token_id == EOS
    assert again.generation_config.do_sample is False
    assert again.generation_config.max_new_tokens == 160


def test_build_depends_on_the_seed_alone(built):
    state = torch.random.get_rng_state()
    same, other = build(0)[0].state_dict(), build(1)[0].state_dict()
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(value, same[name]) for name, value in built[0].state_dict().items())
    assert not torch.equal(same["lm_head.weight"], other["lm_head.weight"])


def test_training_loss_is_the_models_own(built):
    model, processor = built
    drawn, batches = scenes(3, "train"), Batches(processor)
    config = EmojiTrainConfig(out=Path("unused"))
    found = losses(model, batches, drawn, "long", config)
    inputs = encode(processor, drawn)
    words = batches.captions(drawn, "long")
    ids = torch.cat([inputs["input_ids"], words[:, :-1]], 1)
    assert torch.equal(inputs["pixel_values"], batches.pixels(drawn))
    logits = model(input_ids=ids, pixel_values=inputs["pixel_values"], attention_mask=torch.ones_like(ids)).logits[:, -words.shape[1] :]
    want = torch.nn.functional.cross_entropy(logits.flatten(0, 1), words.flatten(), ignore_index=PAD)
    assert_close(found["long"], want, of_model(model))


def test_patch_words_are_what_fills_each_patch(built):
    batches = Batches(built[1])
    assert len(set(batches.heads.values())) == len(batches.heads)
    drawn = scenes(1, "train")[0]
    got = patch_words(drawn, batches.heads).reshape(8, 8)
    for row in range(8):
        for column in range(8):
            block = drawn.pixels[row * 14 : row * 14 + 14, column * 14 : column * 14 + 14]
            sizes = np.bincount(block.ravel(), minlength=len(drawn.objects) + 1)[1:]
            want = batches.heads[drawn.objects[int(sizes.argmax())].category] if sizes.max() >= 196 / 6 else -1
            assert got[row, column] == want


def test_stages_follow_each_other():
    config = EmojiTrainConfig(out=Path("unused"), align_until=0.1, brief_until=0.5, brief_every=4)
    assert [config.stage(progress, 1) for progress in (0.0, 0.1, 0.49, 0.5, 1.0)] == ["align", "brief", "brief", "long", "long"]
    assert config.stage(0.9, 8) == "brief"
    with pytest.raises(ValueError, match="must be a multiple of processes"):
        EmojiTrainConfig(out=Path("unused"), batch=25, processes=2)


def test_with_a_horizon_progress_is_of_steps_whatever_the_clock_says():
    timed, counted = EmojiTrainConfig(out=Path("unused"), minutes=10.0), EmojiTrainConfig(out=Path("unused"), minutes=10.0, horizon=40)
    assert [timed.progress(30, minutes) for minutes in (0.0, 5.0, 12.0)] == [0.0, 0.5, 1.0]
    assert [counted.progress(step, 12.0) for step in (0, 30, 41)] == [0.0, 0.75, 1.0]
    with pytest.raises(ValueError, match="horizon must be 0 or more"):
        EmojiTrainConfig(out=Path("unused"), horizon=-1)


TRAINING = {"processes": 1, "batch": 2, "checkpoint_minutes": 0.0}
TRAINING |= {"align_until": 0.0, "brief_until": 0.0, "brief_every": 2}


@pytest.mark.slow
def test_a_training_ends_at_its_horizon_however_long_it_took_and_one_that_was_killed_goes_on(tmp_path, monkeypatch):
    """What lies on the disk in the middle of a step is what a kill leaves."""
    killed, long, short = (tmp_path / name for name in ("killed", "long", "short"))
    drawn = []

    def noted(*given):
        drawn.append([item.index for item in given[2]])
        if (long / "checkpoint.pt").exists() and not killed.exists():
            shutil.copytree(long, killed)
        return losses(*given)

    def trained(out, minutes, scenes=0):
        train.main(EmojiTrainConfig(out=out, minutes=minutes, horizon=2, validate_scenes=scenes, **TRAINING))
        return torch.load(out / "checkpoint.pt", weights_only=True)

    monkeypatch.setattr(train, "losses", noted)
    made, other = trained(long, 30.0), trained(short, 1e-4)
    assert [one["step"] for one in (made, other)] == [2, 2]
    assert all(torch.equal(value, other["model"][name]) for name, value in made["model"].items())

    assert not (killed / "log.jsonl").exists(), "it had ended"
    # a subject that has learned nothing never ends a caption
    monkeypatch.setattr(validation, "captions", functools.partial(captions, max_new_tokens=20))
    before = torch.load(killed / "checkpoint.pt", weights_only=True)
    after = trained(killed, 30.0, scenes=1)
    assert [(one["step"], one["seen"]) for one in (before, after)] == [(1, 2), (2, 4)]
    assert drawn == [[0, 1], [2, 3], [0, 1], [2, 3], [2, 3]], "of a run, of another one, and of what was left"
    assert after["minutes"] > before["minutes"]
    assert not torch.equal(after["model"]["lm_head.weight"], before["model"]["lm_head.weight"])
    last = json.loads((killed / "log.jsonl").read_text().splitlines()[-1])
    assert set(last["validation"]) == {"recall", "precision", "chair_s", "chair_i", "words", "repeated"}
    LlavaForConditionalGeneration.from_pretrained(killed / "weights")


@pytest.mark.slow
def test_the_subject_sees():
    model, processor = LlavaForConditionalGeneration.from_pretrained(WEIGHTS), AutoProcessor.from_pretrained(WEIGHTS)
    drawn = scenes(5)
    blank = [type(item)(**{**vars(item), "image": item.image.copy()}) for item in drawn]
    for item in blank:
        item.image.paste((128, 128, 128), (0, 0, *item.image.size))
    said = captions(model, processor, [*drawn, *blank])
    seen, unseen = score(drawn, said[:5]), score(blank, said[5:])
    assert seen["recall"] >= 0.5
    assert seen["recall"] > unseen["recall"] + 0.2
    assert seen["words"] >= 70
