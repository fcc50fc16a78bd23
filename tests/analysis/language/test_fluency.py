"""Fluency: a mean over tokens, and the rule for broken captions on planted ones."""

import json

import numpy as np
import pytest

from analysis.language.fluency import FluencyConfig, fluency, main, shuffled
from analysis.language.limits import broken, limit
from analysis.language.models import PACKAGED, language_model
from probes.command.cli import BadInput
from tests.analysis.language.words import saved_model

WORDS = "a dog sees the cat . it runs to a tree and the dog waits below until night ."
PLAIN = [
    "A dog lies on a blue couch beside a small table. Two people stand behind it and talk.",
    "A man rides a bicycle along a street. Cars are parked on both sides, and a woman waits at the light.",
    "The kitchen has a white stove and a wooden counter. A bowl of fruit stands near the window.",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return language_model(str(saved_model(tmp_path_factory.mktemp("fluency") / "model", WORDS)))


def test_fluency_is_the_mean_over_all_tokens_but_the_first(tiny):
    import torch

    text = "a dog sees the cat ."
    ids = torch.tensor(tiny.tokenizer(text)["input_ids"])
    logits = tiny.model(input_ids=ids[None]).logits[0].detach().double().log_softmax(-1)
    expected = -np.mean([float(logits[i, ids[i + 1]]) for i in range(len(ids) - 1)])
    found = fluency(tiny, [text, "dog", text])
    assert found[[0, 2]] == pytest.approx([expected, expected], rel=1e-5)
    assert np.isnan(found[1])


def test_broken_is_a_loop_or_an_improbable_text():
    loop = "a spoon, a spoon, a spoon, a spoon, a spoon."
    assert broken([PLAIN[0], loop, PLAIN[1], PLAIN[2]], np.array([2.0, 0.5, 5.1, np.nan]), 5.0).tolist() == [False, True, True, False]
    assert limit(np.array([*range(100), np.nan])) == pytest.approx(98.01)


def test_words_are_shuffled_within_their_text():
    made = shuffled(PLAIN, 0)
    assert made == shuffled(PLAIN, 0)
    for text, other in zip(PLAIN, made, strict=True):
        assert text != other
        assert sorted(text.split()) == sorted(other.split())


@pytest.mark.slow
@pytest.mark.usefixtures("read_once")
def test_a_language_model_tells_shuffled_words_from_prose_and_likes_loops():
    """Which is why the rule has two parts: a loop is cheap, shuffled words and a list of odd ones are dear."""
    read = language_model(PACKAGED)
    prose, order = fluency(read, PLAIN), fluency(read, shuffled(PLAIN, 0))
    assert (order > prose + 1).all()
    loop = fluency(read, ["There is a cup on the table. " * 6])[0]
    assert loop < prose.min()
    assert broken(["There is a cup on the table. " * 6], np.array([loop]), limit(prose)).all()


def test_the_command_writes_every_arm_and_its_calibration(tiny, tmp_path):
    model = tmp_path / "model"
    saved_model(model, WORDS)
    for name, texts in {"plain": ["a dog sees the cat .", "it runs to a tree ."], "loops": ["a cat . a cat . a cat . a cat ."] * 2}.items():
        lines = [json.dumps({"image_id": i, "caption": text}) for i, text in enumerate(texts)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    files = (tmp_path / "loops.jsonl",)
    main(FluencyConfig(captions=files, against=tmp_path / "plain.jsonl", model=str(model), json=tmp_path / "out.json"))
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert list(found["arms"]) == ["plain", "loops"]
    assert found["arms"]["loops"]["broken"] == 1
    assert found["arms"]["plain"]["nll"] == pytest.approx(np.mean(found["arms"]["plain"]["by_caption"]))
    assert set(found["calibration"]) == {"limit", "loop", "broken_as_they_stand", "broken_with_words_shuffled"}


def test_what_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(BadInput, match="two have the same"):
        FluencyConfig(captions=(tmp_path / "a" / "x.jsonl", tmp_path / "b" / "x.jsonl"))
    with pytest.raises(BadInput, match="--against counted"):  # one would have stood in the other's place
        FluencyConfig(captions=(tmp_path / "a" / "x.jsonl",), against=tmp_path / "b" / "x.jsonl")
    with pytest.raises(BadInput, match="name a file"):
        FluencyConfig(captions=())


def test_a_results_file_that_cannot_be_written_and_captions_of_a_word_are_refused(tiny, tmp_path):
    model = saved_model(tmp_path / "model", WORDS)
    said = tmp_path / "x.jsonl"
    said.write_text('{"image_id": 1, "caption": "dog"}\n{"image_id": 2, "caption": "cat"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="name a file in it"):  # before the model, which is not there, is looked for
        main(FluencyConfig(captions=(said,), model=str(tmp_path / "none"), json=tmp_path))
    with pytest.raises(BadInput, match="no caption has two tokens"):
        main(FluencyConfig(captions=(said,), model=str(model)))
    more = tmp_path / "y.jsonl"
    more.write_text('{"image_id": 1, "caption": "a dog sees the cat ."}\n', encoding="utf-8")
    out = tmp_path / "out.json"
    main(FluencyConfig(captions=(tmp_path / "." / "y.jsonl", said), against=more, model=str(model), json=out))
    found = json.loads(out.read_text(encoding="utf-8"))["arms"]
    assert list(found) == ["y", "x"]
    assert found["x"]["nll"] is None
