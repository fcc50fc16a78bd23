"""Finds the repeated sentences of a caption, as they occur when a text falls into a loop."""

import re


def repeated_sentences(text: str) -> tuple[int, int]:
    """How many sentences a text has, and how many of them repeat an earlier one word for word, whatever its capitals and spaces."""
    parts = (" ".join(part.split()).lower() for part in re.split(r"[.!?]", text))
    sentences = [part for part in parts if part]
    return len(sentences), len(sentences) - len(set(sentences))


def repeated_ngrams(text: str, n: int = 4) -> tuple[int, int]:
    """How many runs of `n` words or marks a text has, and how many of them occurred before in it; whatever its capitals."""
    words = re.findall(r"[\w'-]+|[^\w\s]", text.lower())
    runs = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return len(runs), len(runs) - len(set(runs))
