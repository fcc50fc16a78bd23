"""Which sentences the grammar can write: all that it wrote, and none whose slots hold what the writer never puts there."""

import pytest

from probes.subjects.bundled import bundled
from probes.subjects.emoji.reading import sentences
from probes.subjects.emoji.vocabulary import CATEGORIES
from probes.subjects.smollm2.captions import describe
from probes.subjects.smollm2.wellformed import writes
from probes.subjects.smollm2.words import nouns, plural_of, with_article


def test_every_sentence_of_training_captions_is_the_grammar_s():
    drawn = bundled("smollm2").scenes(40, "train")
    assert [sentence for scene in drawn for sentence in sentences(describe(scene)) if not bundled("smollm2").writes(sentence)] == []


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_every_word_of_an_object_is_known_in_each_form(category):
    other = "a zebra" if category.name != "zebra" else "a bear"
    for noun in nouns(category.name):
        assert writes(f"There is also {with_article(noun)} and {other}.")
        assert writes(f"There is just one {noun} in the image.")
        assert writes(f"There are three {plural_of(category.name, noun)} in total.")
        assert not writes(f"There is also {with_article(noun)} and {with_article(noun)}.")


@pytest.mark.parametrize(
    ("sentence", "can"),
    [
        ("There is also a dog, two cats, and a sofa.", True),
        ("There is also a toilet, and a toilet, and a toilet.", False),
        ("There is also a dog and a puppet.", False),
        ("There is also one dog and a cat.", False),
        ("There is also a dog, a cat.", False),
        ("There is also a dog, and a cat.", False),
        ("There is also a dogs.", False),
        ("There is also two dog.", False),
        ("There is also an dog.", False),
        ("There is also A dog.", False),
        ("A dog can be seen too.", True),
        ("a dog can be seen too.", False),
        ("There are two hot dogs in total.", True),
        ("There are two dog in total.", False),
        ("There are many dogs in total.", False),
        ("The dog is mostly brown.", True),
        ("The dog is mostly the dog is mostly brown.", False),
        ("The dog is in the lower left of the image.", True),
        ("The dog is in the middle of nowhere of the image.", False),
        ("The dog is rather large.", True),
        ("The dog is rather big.", False),
        ("The dog is to the right of the dog.", False),
        ("The luggage is in the center of the image.", True),
        ("The scene looks rather calm.", True),
        ("The scene looks rather rather.", False),
        ("In a kitchen, one can often prepare a meal.", True),
        ("In a kitchen, one can often raise animals.", False),
        ("It is a place where one can often raise animals.", True),
        ("It is a place where one can often eat the dog.", False),
        ("", False),
    ],
)
def test_a_sentence_is_the_grammar_s_or_not(sentence, can):
    assert writes(sentence) is can
