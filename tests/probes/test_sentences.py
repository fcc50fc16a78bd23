"""Repeated sentences, counted by hand."""

import pytest

from probes.sentences import repeated_sentences


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
