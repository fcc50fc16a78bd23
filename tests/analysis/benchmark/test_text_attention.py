"""AdaIAT's statistics from a command: where objects are named in captions, and what attention does there."""

import pytest
import torch

from analysis.benchmark.methods import method
from analysis.benchmark.text_attention import TextAttentionConfig, counted, mentions, perform
from probes.command.cli import BadInput
from probes.subjects import Item
from probes.subjects.bundled import bundled, own_scenes
from tests.analysis.loaded import loaded
from tests.rounding import assert_close


@pytest.mark.parametrize("name", ["emoji", pytest.param("smollm2", marks=pytest.mark.slow)])
def test_mentions_are_found_at_their_tokens(name):
    subject, caption = loaded(name), "This is a classroom with a TV, a dog, and two umbrellas. The dog is small."
    tokens = subject.tokenizer(caption, add_special_tokens=False)["input_ids"]
    found = mentions(subject, tokens, bundled(name).forms())
    assert [said for _, said in found] == ["tv", "dog", "umbrella", "dog"]
    for place, word in zip([place for place, _ in found], ("TV", "dog", "umbrellas", "dog"), strict=True):
        assert word.startswith(subject.tokenizer.decode([tokens[place]]).strip())


@pytest.mark.slow
@pytest.mark.usefixtures("halved")
def test_statistics_are_written_and_open_the_method(half_subject, tmp_path, capsys):
    subject, out = half_subject, tmp_path / "made" / "statistics.pt"
    perform(TextAttentionConfig(images=3, max_new_tokens=100, out=out))
    told = capsys.readouterr().out
    assert told.endswith("of hallucinated ones in 3 captions\n")
    adaiat = method(f"adaiat:statistics={out}").options
    layers = subject.model.config.get_text_config().num_hidden_layers
    assert adaiat.statistics["ratio"].shape == (layers, subject.model.config.get_text_config().num_attention_heads)
    assert (adaiat.statistics["ratio"] > 0).all()
    assert (adaiat.statistics["real"] > 0).all()
    with adaiat(subject.model) as run, torch.inference_mode():
        subject.model.generate(**subject.encode(subject.items(1)), max_new_tokens=4)
    assert run.report()["steps"] == 3


def test_scenes_described_together_give_the_same(half_subject):
    subject = half_subject
    scenes = own_scenes("emoji", 3, "train")
    one, other = (counted(subject, iter(scenes), 20, batch_size) for batch_size in (1, 2))
    assert len(one.real) >= 3
    assert_close(other.real, one.real)
    assert_close(other.hallucinated, one.hallucinated)
    assert subject.model.config._attn_implementation == "sdpa"


def test_rows_are_those_of_the_tokens_that_name_objects(half_subject):
    """The caption as `generate` writes it; attention of each naming token to itself and to the caption before it, out of one plain pass."""
    subject, (scene,) = half_subject, own_scenes("emoji", 1, "train")
    inputs = subject.encode([Item(scene.image_id, scene.image)])
    prompt = inputs["input_ids"].shape[1]
    before = subject.model.config._attn_implementation
    subject.model.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            whole = subject.model.generate(**inputs, max_new_tokens=20, do_sample=False)
            ids = {"input_ids": whole, "attention_mask": torch.ones_like(whole)}
            maps = subject.model(**{**inputs, **ids}, output_attentions=True).attentions
    finally:
        subject.model.set_attn_implementation(before)
    rows = {True: [], False: []}
    for place, name in mentions(subject, whole[0, prompt:].tolist(), bundled("emoji").forms()):
        own = [layer[0, :, prompt + place, prompt:][:, : place + 1] for layer in maps]
        rows[name in scene.names].append(torch.stack([attention.sum(-1) / (place + 1) for attention in own]))
    found = counted(subject, [scene], 20)
    assert rows[True]
    assert rows[False]
    assert_close(found.real, torch.stack(rows[True]))
    assert_close(found.hallucinated, torch.stack(rows[False]))


def test_attention_is_restored_also_when_a_scene_cannot_be_drawn(subject):
    during = []

    def scenes():
        during.append(subject.model.config._attn_implementation)
        raise KeyError("stop")
        yield

    with pytest.raises(KeyError, match="stop"):
        counted(subject, scenes())
    assert during == ["eager"]
    assert subject.model.config._attn_implementation == "sdpa"


def test_captions_without_such_objects_are_told(tmp_path):
    with pytest.raises(BadInput, match="1 captions of emoji name no real object; give more --images"):
        perform(TextAttentionConfig(images=1, max_new_tokens=1, out=tmp_path / "s.pt"))
    with pytest.raises(BadInput, match="it brings no images"):
        perform(TextAttentionConfig(subject="some/model", out=tmp_path / "s.pt"))
    assert not list(tmp_path.iterdir())
