"""Repeated sentences, counted by hand."""

import pytest

from probes.sentences import repeated_ngrams, repeated_sentences


@pytest.mark.parametrize(
    ("text", "sentences", "repeated"),
    [
        ("", 0, 0),
        (" . ", 0, 0),
        ("A cat. A dog", 2, 0),
        ("A cat. a  cat. A dog.", 3, 1),
        ("A cat! A cat? A cat.\n A cat", 4, 3),
        ("There is 1 cat. There is a cat.", 2, 0),
    ],
)
def test_sentences_and_those_said_before(text, sentences, repeated):
    assert repeated_sentences(text) == (sentences, repeated)


def test_runs_of_words_that_occurred_before_are_counted():
    # a b c a b c a: of its four runs of four, "a b c a" comes twice
    assert repeated_ngrams("a b c a b c a") == (4, 1)
    assert repeated_ngrams("A spoon, a spoon, a spoon.") == (6, 2)
    assert repeated_ngrams("too short") == (0, 0)
    assert repeated_ngrams("a a a", n=2) == (2, 1)
