"""The subject's own NLL of captions, against a token by token reading with the image."""

import numpy as np
import pytest
import torch

from analysis.language.own import own_nll
from probes.subjects import Item, load_subject
from probes.subjects.bundled import own_scenes


@pytest.fixture(scope="module")
def subject():
    return load_subject("emoji")


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
