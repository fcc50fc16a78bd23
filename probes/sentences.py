"""Sentences of a caption that are said again, as they are when a text falls into a loop."""

import re


def repeated_sentences(text: str) -> tuple[int, int]:
    """How many sentences a text has, and how many of them repeat an earlier one word for word, whatever its capitals and spaces."""
    parts = (" ".join(part.split()).lower() for part in re.split(r"[.!?]", text))
    sentences = [part for part in parts if part]
    return len(sentences), len(sentences) - len(set(sentences))
