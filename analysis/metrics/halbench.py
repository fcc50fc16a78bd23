"""Object HalBench: how many answers, and how many of the objects that they mention, are not in the image.

RLHF-V (Yu et al. 2024) and RLAIF-V. An extractor names the objects of an answer; they are read as in CHAIR with a refined synonym table,
each different word once an answer. Response hallucination, CHAIRs_refine in the public code, is over answers that mention an object of
COCO at all; mention hallucination is its CHAIRi. The public code prints no F1; `f1` here is our own, of recall and 1 - CHAIRi.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from analysis.metrics.extractor import SHORT, Extractor, Rules, named_objects
from analysis.metrics.halbench_words import lemmas, pairs, synonyms
from analysis.metrics.metric import Answer, Measure, must_be_known
from analysis.words.readers import Bundled, Reader
from analysis.words.words import Word, merge
from probes.command.cli import BadInput

COUNTS = ("answers", "with_object", "hallucinating", "mentions", "hallucinated", "recalled", "truth", "words")
RATIOS = {
    "response_hallucination": ("hallucinating", "with_object", "no answer mentions an object"),
    "mention_hallucination": ("hallucinated", "mentions", "no answer mentions an object"),
    "chair_s": ("hallucinating", "answers", "there is no answer"),
    "recall": ("recalled", "truth", "no image has an object"),
    "words": ("words", "answers", "there is no answer"),
}
MEASURES = {
    "response_hallucination": Measure("response hallucination", False),
    "mention_hallucination": Measure("mention hallucination", False),
    "response_correct": Measure("response correct", True),
    "mention_correct": Measure("mention correct", True),
    "chair_s": Measure("CHAIR_s", False),
    "recall": Measure("recall", True),
    "f1": Measure("F1", True),
    "words": Measure("words", None, "words"),
}
UNKNOWN = ("error", "empty")


@dataclass(frozen=True)
class HalBenchMention:
    """An object that an answer mentions, once an answer.

    Attributes
    ----------
    word : its lemma, two-word objects merged
    object : COCO's name for it
    start, end, tokens : its first characters and tokens in the answer (ends exclusive); None where the word does not stand there as such
    hallucinated : it is not in the image
    """

    word: str
    object: str
    start: int | None
    end: int | None
    tokens: tuple[int, int] | None
    hallucinated: bool


@dataclass(frozen=True)
class HalBenchRecord:
    """What one answer is worth.

    Attributes
    ----------
    image_id, key : of the answer
    mentions : in the order of the answer, those that are not found in it last
    extracted : the objects that the extractor named
    recalled, truth : the image's objects that are mentioned, and all; sorted
    words : of the answer between blanks; an empty one has one, as in the public code
    """

    image_id: int
    key: str
    mentions: tuple[HalBenchMention, ...]
    extracted: tuple[str, ...]
    recalled: tuple[str, ...]
    truth: tuple[str, ...]
    words: int

    @property
    def counts(self) -> tuple[int, ...]:
        """The answer's contribution to each of `COUNTS`."""
        absent = sum(mention.hallucinated for mention in self.mentions)
        named = len(self.mentions)
        return (1, int(named > 0), int(absent > 0), named, absent, len(self.recalled), len(self.truth), self.words)

    def as_dict(self) -> dict[str, Any]:
        """For a results file."""
        mentions = [asdict(mention) | {"tokens": mention.tokens and list(mention.tokens)} for mention in self.mentions]
        told = {"image_id": self.image_id, "key": self.key, "mentions": mentions, "extracted": list(self.extracted)}
        return told | {"recalled": list(self.recalled), "truth": list(self.truth), "words": self.words}


@dataclass(frozen=True)
class HalBench:
    """Object HalBench's measures.

    Parameters
    ----------
    truth
        By image id, the objects that are in it: instances, and people's captions through `analysis.metrics.halbench_words.NounReader`.
    extractor
        Names the objects of answers; rules with the words of `reader` if there is none.
    unknown
        What an answer about an image without ground truth is: "error", or "empty", where nothing is in such an image.
    reader
        Its mode decides how the named objects are read: "exact" with NLTK's tagger, "bundled" without.
    """

    truth: Mapping[int, frozenset[str]]
    extractor: Extractor | None = None
    unknown: str = "error"
    reader: Reader = field(default_factory=Bundled)

    name: ClassVar[str] = "halbench"
    counts: ClassVar[Sequence[str]] = COUNTS
    catalogue: ClassVar[Mapping[str, Measure]] = MEASURES
    measures: ClassVar[Mapping[str, Measure]] = MEASURES
    primary: ClassVar[Sequence[str]] = ("response_hallucination", "mention_hallucination")

    def __post_init__(self) -> None:
        if self.unknown not in UNKNOWN:
            raise BadInput(f"HalBench.unknown must be one of {', '.join(UNKNOWN)}; got {self.unknown!r}.")
        if self.extractor is None:
            object.__setattr__(self, "extractor", Rules(self.reader))

    @property
    def mode(self) -> str:
        """Who named the objects, and how words were read."""
        return f"{self.extractor.name}, {self.reader.mode} words"

    def records(self, answers: Sequence[Answer]) -> list[HalBenchRecord]:
        """One record an answer, in their order.

        Raises
        ------
        BadInput : an answer about an image without ground truth, unless `unknown` is "empty"; the extractor fails
        """
        if self.unknown == "error":
            must_be_known(answers, self.truth, "answers")
        there = [self.truth.get(answer.image_id, frozenset()) for answer in answers]
        cleaned = [Answer(answer.image_id, clean(answer.text), answer.key) for answer in answers]
        long = [i for i, answer in enumerate(cleaned) if len(answer.text.split()) > SHORT]
        extracted: list[list[str]] = [[] for _ in answers]
        for i, objects in zip(long, self.extractor.objects([cleaned[i] for i in long]), strict=True):
            extracted[i] = objects
        return [self._record(*found) for found in zip(answers, cleaned, extracted, there, strict=True)]

    def ratios(self, total: Float[np.ndarray, "*draw count"]) -> dict[str, Float[np.ndarray, "*draw"]]:
        """The measures from summed counts; NaN where a denominator is zero."""
        column = dict(zip(COUNTS, np.moveaxis(np.asarray(total, dtype=float), -1, 0), strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = {name: np.asarray(column[above] / column[below]) for name, (above, below, _) in RATIOS.items()}
            found["response_correct"] = np.asarray(1 - found["response_hallucination"])
            found["mention_correct"] = right = np.asarray(1 - found["mention_hallucination"])
            found["f1"] = np.asarray(2 * found["recall"] * right / (found["recall"] + right))
        return {name: found[name] for name in self.measures}

    def reasons(self, total: Float[np.ndarray, " count"]) -> dict[str, str]:
        """By measure, why it is NaN."""
        told = {name: why for name, (_, _, why) in RATIOS.items()}
        told |= dict.fromkeys(("response_correct", "mention_correct"), "no answer mentions an object")
        told["f1"] = "no answer mentions an object that is there"
        return {name: told[name] for name, value in self.ratios(total).items() if np.isnan(value)}

    def _record(self, answer: Answer, cleaned: Answer, extracted: Sequence[str], there: frozenset[str]) -> HalBenchRecord:
        mode = self.reader.mode
        named = list(dict.fromkeys(name for text in extracted for name in named_objects(text, mode)))
        kept = [name for name in named if name in synonyms() and not (name == "seat" and "toilet" in named)]
        read = lemmas(answer.text, mode)
        mentions = [_mention(name, read, there) for name in kept]
        mentions.sort(key=lambda mention: (mention.start is None, mention.start or 0))
        recalled = sorted({mention.object for mention in mentions} & there)
        words = len(cleaned.text.split(" "))
        return HalBenchRecord(answer.image_id, answer.key, tuple(mentions), tuple(extracted), tuple(recalled), tuple(sorted(there)), words)


def clean(text: str) -> str:
    """The answer without "Assistant:" and without blanks at its ends."""
    return text.replace("Assistant:", "").strip()


def _mention(name: str, read: Sequence[Word], there: frozenset[str]) -> HalBenchMention:
    found = synonyms()[name]
    # merged first: "dog" is not looked for within "hot dog"
    word = next((word for word in (*merge(_places(read), pairs()), *read) if word.text == name), None)
    if word is None:
        return HalBenchMention(name, found, None, None, None, found not in there)
    return HalBenchMention(name, found, word.start, word.end, (word.first, word.last), found not in there)


def _places(read: Sequence[Word]) -> list[tuple[str, int, int]]:
    return [(word.text, word.start, word.end) for word in read]
