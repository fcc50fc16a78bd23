"""VTI's directions from a command: of drawn scenes, or of a file of pairs."""

import json

import pytest
import torch

from analysis.benchmark.directions import DirectionsConfig, captioned, drawn_pairs, perform, read_pairs, swapped
from analysis.benchmark.methods import method
from kvsmooth.baselines.directions import text_directions
from probes.command.cli import BadInput
from probes.subjects import load_subject
from probes.subjects.emoji.captions import named

FORMS = {"cat": ("cat", "cats", "kitten", "kittens"), "apple": ("apple", "apples"), "dog": ("dog", "dogs"), "scissors": ("scissors",)}


def test_an_object_is_called_by_an_absent_ones_name_wherever_it_is_named():
    caption = "A cat and a dog. The cats and a kitten see the dogs."
    present = frozenset({"cat", "dog"})
    assert swapped(caption, FORMS, present, 0) == "An apple and a dog. The apples and an apple see the dogs."
    assert swapped(caption, FORMS, present, 1) == "A cat and a scissors. The cats and a kitten see the scissors."
    with pytest.raises(ValueError, match="must mention one of cat, dog"):
        swapped("Nothing.", FORMS, present, 0)


@pytest.mark.parametrize("name", ["emoji", "smollm2"])
def test_drawn_pairs_differ_by_one_object(name):
    for pair in drawn_pairs(name, 4):
        assert pair.correct != pair.hallucinated
        if name == "emoji":
            true, false = set(named(pair.correct)), set(named(pair.hallucinated))
            assert len(true - false) == len(false - true) == 1


def test_a_subject_without_scenes_is_told_before_it_is_loaded(tmp_path):
    with pytest.raises(BadInput, match="it brings no captions; give pairs of them"):
        perform(DirectionsConfig(subject="some/model", out=tmp_path / "d.pt"))
    with pytest.raises(BadInput, match="it brings no images"):
        list(drawn_pairs("some/model", 2))


def test_directions_of_a_subject_are_written_and_open_the_method(tmp_path, capsys):
    out = tmp_path / "made" / "directions.pt"
    perform(DirectionsConfig(images=3, out=out))
    assert capsys.readouterr().out.startswith("3 pairs: ")
    assert [one.name for one in out.parent.iterdir()] == [out.name]
    subject = load_subject("emoji")
    pairs = list(drawn_pairs("emoji", 3))
    expected = text_directions(
        subject.model, [(captioned(subject, one.item, one.hallucinated), captioned(subject, one.item, one.correct)) for one in pairs]
    )
    vti = method(f"vti:directions={out}").options
    assert torch.equal(vti.directions, expected)
    last = captioned(subject, pairs[0].item, pairs[0].correct)
    assert subject.text(last["input_ids"][0].tolist()).endswith(pairs[0].correct)
    with vti(subject.model) as run, torch.inference_mode():
        subject.model.generate(**subject.encode([pairs[0].item]), max_new_tokens=4)
    assert run.report()["turned"] > 0


def test_pairs_of_a_file(tmp_path):
    scene = next(drawn_pairs("emoji", 1)).item.image
    scene.save(tmp_path / "one.png")
    file = tmp_path / "pairs.jsonl"
    lines = [{"image": "one.png", "value": "A dog.", "h_value": "A cat.", "question": "What is there?"}, {"image": "one.png"}]
    file.write_text(json.dumps(lines[0]) + "\n")
    (pair,) = read_pairs(file, tmp_path)
    assert (pair.correct, pair.hallucinated, pair.item.prompt) == ("A dog.", "A cat.", "What is there?")
    assert pair.item.pixels().size == scene.size
    for text, told in (("\n".join(map(json.dumps, lines)), "line 2: value must be a text"), ("", "no pair of captions in this file")):
        file.write_text(text)
        with pytest.raises(BadInput, match=told):
            list(read_pairs(file, tmp_path))
