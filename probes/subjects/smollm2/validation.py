"""How well captions see while the subject trains: what they name against what is drawn."""

import re

from probes.sentences import repeated_ngrams, repeated_sentences
from probes.subjects.emoji.scenes import Scene
from probes.subjects.smollm2.words import named


def score(drawn: list[Scene], texts: list[str]) -> dict[str, float]:
    """Recall and precision over distinct objects, shares of captions and mentions with an absent object, words, repetition."""
    mentions = [named(text) for text in texts]
    right = sum(len(set(m) & s.names) for m, s in zip(mentions, drawn, strict=True))
    absent = [[name not in s.names for name in m] for m, s in zip(mentions, drawn, strict=True)]
    small = [(o.category in m) for m, s in zip(mentions, drawn, strict=True) for o in s.objects if o.role == "background"]
    sentences, runs = [repeated_sentences(text) for text in texts], [repeated_ngrams(text) for text in texts]
    return {
        "recall": right / max(sum(len(s.names) for s in drawn), 1),
        "recall_small": sum(small) / max(len(small), 1),
        "precision": right / max(sum(len(set(m)) for m in mentions), 1),
        "chair_s": sum(map(any, absent)) / max(len(drawn), 1),
        "chair_i": sum(map(sum, absent)) / max(sum(map(len, absent)), 1),
        "words": sum(len(re.findall(r"[\w-]+", text)) for text in texts) / max(len(texts), 1),
        "repeated_sentences": sum(again for _, again in sentences) / max(sum(count for count, _ in sentences), 1),
        "repeated_4grams": sum(again for _, again in runs) / max(sum(count for count, _ in runs), 1),
    }
