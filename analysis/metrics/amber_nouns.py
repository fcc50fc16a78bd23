"""The nouns of an answer that AMBER counts: lemmas of its closed vocabulary, repeats kept, nothing lower-cased.

exact: tokens that NLTK tags NN, NNS, NNP or NNPS, as the reference reads them. bundled: every token, whatever its part of speech, so that
"light" counts in "a light breeze" too. Lemmas come from a closed table (WordNet's nouns): "men" and "vases" have none in the vocabulary,
and "People" is not "people".
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from analysis.words import tagging
from analysis.words.words import TOKEN

DATA = Path(__file__).parent / "data" / "amber"


class Noun(NamedTuple):
    """A counted noun: its lemma, its characters and its token in the answer (ends exclusive)."""

    text: str
    start: int
    end: int
    first: int
    last: int


@lru_cache(maxsize=1)
def _forms() -> dict[str, str]:
    return json.loads((DATA / "noun_forms.json").read_text(encoding="utf-8"))["forms"]


def noun_lemma(form: str) -> str:
    """WordNet's shortest lemma of the form as a noun, as far as AMBER's words are concerned; the form itself where there is none."""
    return _forms().get(form, form)


def nouns(text: str, mode: str, vocabulary: frozenset[str]) -> list[Noun]:
    """The answer's nouns that are in the vocabulary, in order.

    Parameters
    ----------
    mode : "exact" or "bundled"

    Raises
    ------
    BadInput : "exact", and NLTK or its data are not there
    """
    if mode == "exact":
        tokens = tagging.tokens(text)
        tagged = zip(tokens, tagging.tags([token.text for token in tokens]), strict=True)
        read = [(i, *token) for i, (token, tag) in enumerate(tagged) if tag.startswith("NN")]
    else:
        read = [(i, found.group(), found.start(), found.end()) for i, found in enumerate(TOKEN.finditer(text))]
    return [Noun(noun_lemma(form), start, end, i, i + 1) for i, form, start, end in read if noun_lemma(form) in vocabulary]
