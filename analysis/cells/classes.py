"""Classes of tokens, for the control whose rate depends on nothing but what kind of token was written."""

import string

import torch
from jaxtyping import Int
from torch import Tensor

from analysis.words.words import lemma, synonyms

CLASSES = ("special", "punctuation", "object", "word", "piece")


def token_classes(tokenizer) -> Int[Tensor, " token"]:
    """Number in CLASSES of every token id: a special token, punctuation, a word for an object, another word's beginning, a later piece."""
    special = set(tokenizer.all_special_ids)
    return torch.tensor([CLASSES.index("special" if i in special else kind(tokenizer, i)) for i in range(len(tokenizer))])


def kind(tokenizer, token: int) -> str:
    """The class of a token that is not special."""
    piece, text = str(tokenizer.convert_ids_to_tokens(token)), tokenizer.decode([token]).strip().lower()
    if text and all(character in string.punctuation for character in text):
        return "punctuation"
    if text and lemma(text) in synonyms():
        return "object"
    # byte-level and sentence-piece vocabularies mark a word's first piece by a sign in place of the blank before it
    return "word" if piece[:1] in ("Ġ", "▁", " ") or not piece.isalpha() else "piece"
