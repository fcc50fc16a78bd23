"""Extracts the objects that an answer describes as visible: the step for which Object HalBench uses GPT-3.5, here exchangeable.

By default it is done by rules on this machine; a model behind an OpenAI-compatible address is `analysis.metrics.extractor_openai`.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from analysis.metrics.halbench_words import lemmas, object_parts, pairs
from analysis.metrics.metric import Answer
from analysis.words import tagging
from analysis.words.readers import Reader
from analysis.words.words import Word, lowered

SHORT = 3
"""An answer of so many words or fewer names no object, and no model is asked."""


@runtime_checkable
class Extractor(Protocol):
    """Names the visible objects of answers.

    Attributes
    ----------
    name : how it is told apart in results
    """

    @property
    def name(self) -> str:
        """Such as "rules" or the model's name."""

    def objects(self, answers: Sequence[Answer]) -> list[list[str]]:
        """The objects that each answer names, as texts of a few words; `Answer.text` is cleaned already.

        Raises
        ------
        BadInput : they cannot be found out
        """


@dataclass(frozen=True)
class Rules:
    """The phrases of an answer that can name an object: runs of nouns, and COCO's two-word objects.

    It reads words only, and so counts what a model would leave out: "there is no dog" names a dog. Without a tagger (a reader of mode
    "bundled") the parts of objects' names are the only known nouns: "computer mouse" is one phrase, "pool table" is a table.

    Parameters
    ----------
    reader
        Its mode decides about tokens and the tagger.
    """

    reader: Reader

    @property
    def name(self) -> str:
        """ "rules"."""
        return "rules"

    def objects(self, answers: Sequence[Answer]) -> list[list[str]]:
        """One list an answer, in the order of the text, repeats kept."""
        return [self._phrases(answer.text) for answer in answers]

    def _phrases(self, text: str) -> list[str]:
        words, noun = read(text, self.reader.mode)
        for i, (first, second) in enumerate(itertools.pairwise(words)):
            if f"{first.text} {second.text}" in pairs():
                noun[i] = noun[i + 1] = True
        runs = [list(run) for is_noun, run in itertools.groupby(zip(words, noun, strict=True), key=lambda pair: pair[1]) if is_noun]
        return [text[run[0][0].start : run[-1][0].end] for run in runs]


def read(text: str, mode: str) -> tuple[list[Word], list[bool]]:
    """The lemmas of a text's tokens, and which of them are nouns: by NLTK's tagger if `mode` is "exact", else the parts of objects' names.

    Raises
    ------
    BadInput : "exact", and NLTK or its data are not there
    """
    words = lemmas(text, mode)
    if mode != "exact":
        return words, [word.text in object_parts() for word in words]
    tokens = [token.text for token in tagging.tokens(lowered(text)[0])]
    return words, [tag.startswith("NN") for tag in tagging.tags(tokens)]


def named_objects(text: str, mode: str) -> list[str]:
    """What a phrase names, as Object HalBench reads it: its two-word objects if it has any, else its maximal runs of nouns.

    "hot dog stand" names a hot dog, "baseball player" and "computer mouse" name nothing that is looked up. The reference has spaCy's
    ``en_core_web_trf`` tag "a " + phrase; here NLTK's tagger does, or none. Out of context that tagger takes many adjectives for nouns
    ("purple dog" is one run): phrases should come without attributes.
    """
    words, noun = read(f"a {text}", mode)
    texts, found, i = [word.text for word in words], [], 0
    while i < len(texts):
        pair = " ".join(texts[i : i + 2])
        if pair in pairs():
            found.append(pairs()[pair])
        i += 2 if pair in pairs() else 1
    if found:
        return found
    runs = itertools.groupby(zip(texts, noun, strict=True), key=lambda pair: pair[1])
    return [" ".join(word for word, _ in run) for is_noun, run in runs if is_noun]
