"""The subject's own NLL of captions, against a token by token reading with the image."""

import numpy as np
import pytest
import torch

from analysis.language.fluency import fluency
from analysis.language.limits import broken, limit
from analysis.language.models import PACKAGED, language_model
from analysis.language.own import own_nll
from analysis.metrics.chair import score_caption
from probes.subjects import Item
from probes.subjects.bundled import own_scenes
from probes.subjects.emoji.captions import describe
from tests.analysis.loaded import loaded


@pytest.fixture(scope="module")
def subject():
    return loaded("emoji")


@pytest.fixture(scope="module")
def items():
    return [Item(scene.image_id, scene.image) for scene in own_scenes("emoji", 2)]


def by_hand(subject, item, text):
    """Token by token, each from the whole sequence before it."""
    inputs = subject.encode([item])
    nll = []
    for token in subject.tokens(text):
        with torch.no_grad():
            chances = subject.model(**inputs).logits[0, -1].double().softmax(-1)
        nll.append(-float(chances[token].log()))
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([[token]])], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    return sum(nll) / len(nll)


@pytest.mark.slow
def test_a_caption_is_read_with_its_image_and_to_its_end(subject, items):
    texts = ["The picture features a cake, a person, and a pizza in a restaurant.", "There is only one dog in the image."]
    found = own_nll(subject, items, texts)
    assert found == pytest.approx([by_hand(subject, item, text) for item, text in zip(items, texts, strict=True)], rel=1e-4)
    other = own_nll(subject, items[::-1], texts)
    assert not np.allclose(found, other, rtol=0.01), "another image makes another probability"


def test_shuffled_words_are_dearer_and_an_empty_caption_has_none(subject, items):
    text = "The picture features a cake, a person, and a pizza in a restaurant."
    mixed = "pizza a The a in features person, cake, picture and a a restaurant."
    found = own_nll(subject, [items[0]] * 3, [text, mixed, " "])
    assert found[1] > found[0] + 1
    assert np.isnan(found[2])


@pytest.mark.slow
@pytest.mark.usefixtures("read_once")
def test_a_fluent_lie_is_cheap_to_a_language_model_dear_to_the_subject_and_seen_by_chair(subject):
    """Captions of the training's grammar, each given to another scene: every word is right, and of another image."""
    scenes = own_scenes("emoji", 4)
    truths = [describe(scene) for scene in scenes]
    lies = [*truths[1:], truths[0]]
    read = language_model(PACKAGED)
    nll = fluency(read, truths)
    assert not broken(lies, np.roll(nll, -1), limit(nll) + 0.01).any(), "nothing is wrong with the text"
    absent = [
        sum(
            any(mention.hallucinated for mention in score_caption(text, scene.names).mentions)
            for text, scene in zip(said, scenes, strict=True)
        )
        for said in (truths, lies)
    ]
    assert absent[0] < absent[1] == len(scenes)
    items = [Item(scene.image_id, scene.image) for scene in scenes]
    assert (own_nll(subject, items, lies) > own_nll(subject, items, truths) + 0.2).all()
