"""Which sentences the grammar can write: all that it wrote, and none that is broken, loops, or names one object twice."""

import pytest

from probes.subjects.emoji.captions import describe
from probes.subjects.emoji.reading import sentences, writes
from probes.subjects.emoji.scenes import scenes


def test_every_sentence_of_training_captions_is_the_grammar_s():
    assert [sentence for scene in scenes(60, "train") for sentence in sentences(describe(scene)) if not writes(sentence)] == []


def test_a_caption_falls_into_its_sentences_and_an_unfinished_end_is_one():
    assert sentences("A dog. The cat sits.  It is") == ["A dog.", "The cat sits.", "It is"]
    assert sentences("") == []


@pytest.mark.parametrize(
    ("sentence", "can"),
    [
        ("Next to them, one can also find a dog, a person, and a cat.", True),
        ("Next to them, one can also find a dog and a cat.", True),
        ("Next to them, one can also find a dog, a person, and a dog.", False),
        ("Next to them, one can also find a dog, a cat.", False),
        ("Next to them, one can also find a dog, a cat", False),
        ("Next to them, one can also find a dragon.", False),
        ("Next to them, one can also find an dog.", False),
        ("The dog is to the right of the cat.", True),
        ("The dog is to the right of the dog.", False),
        ("There are two dogs in the image.", True),
        ("There are two dog in the image.", False),
        ("There is only one dog in the image.", True),
        ("There is only one dogs in the image.", False),
        ("The dog is of large size and lies in the center.", True),
        ("The dog is of huge size and lies in the center.", False),
        ("The dog.", False),
        ("", False),
    ],
)
def test_a_sentence_is_the_grammar_s_or_not(sentence, can):
    assert writes(sentence) is can
