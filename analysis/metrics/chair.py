"""CHAIR: which objects a caption names, which of them are not in the image, and which of the image's objects it names; text quality beside.

Rohrbach et al. 2018, "Object Hallucination in Image Captioning"; precision and F1 as PAI adds them (Liu et al. 2024): both over
the distinct objects of a caption, summed over captions before dividing. Word handling: ``analysis.words.readers``.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from analysis.metrics.metric import Answer, Measure, must_be_known
from analysis.metrics.text_quality import TEXT_COUNTS, TEXT_MEASURES, TEXT_RATIOS, text_counts
from analysis.words.readers import Bundled, Reader

COUNTS = ("captions", "hallucinating", "mentions", "hallucinated", "recalled", "truth", "objects", "length", *TEXT_COUNTS)
RATIOS = {
    "chair_s": ("hallucinating", "captions", "there is no caption"),
    "chair_i": ("hallucinated", "mentions", "no caption names an object"),
    "recall": ("recalled", "truth", "no image has an object"),
    "precision": ("recalled", "objects", "no caption names an object"),
    "length": ("length", "captions", "there is no caption"),
    "mentions": ("mentions", "captions", "there is no caption"),
    **TEXT_RATIOS,
}
MEASURES = {
    "chair_s": Measure("CHAIR_s", False),
    "chair_i": Measure("CHAIR_i", False),
    "recall": Measure("recall", True),
    "precision": Measure("precision", True),
    "f1": Measure("F1", True),
    "f1_instance": Measure("F1 (1 − CHAIR_i)", True),
    "length": Measure("length", None, "words"),
    "mentions": Measure("mentions", None, "mentions"),
    **TEXT_MEASURES,
}
F1_REASON = "no caption names an object that is there"
UNKNOWN = ("error", "empty")


@dataclass(frozen=True)
class ChairMention:
    """One object mention.

    Attributes
    ----------
    word : as read, a lemma, two-word objects merged
    object : COCO's name for it
    start, end : its characters in the caption, end exclusive
    hallucinated : it is not in the image
    tokens : its tokens as they are before merging, end exclusive (OPERA's ``hallucination_idxs`` are their beginnings; PAI's
        are places after merging; both are off behind a dropped ``seat``, these are not)
    """

    word: str
    object: str
    start: int
    end: int
    hallucinated: bool
    tokens: tuple[int, int]


@dataclass(frozen=True)
class ChairRecord:
    """What one caption says of one image.

    Parameters
    ----------
    image_id
        The image.
    mentions
        Every mention, in order; an object that is named twice counts twice.
    recalled
        The image's objects that the caption names, sorted.
    truth
        The image's objects, sorted.
    length
        Words and marks of punctuation after merging two-word objects, a ``seat`` that a ``toilet`` outdoes included.
    text
        How it is written: its contribution to each of ``TEXT_COUNTS``.
    """

    image_id: int
    mentions: tuple[ChairMention, ...]
    recalled: tuple[str, ...]
    truth: tuple[str, ...]
    length: int
    text: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """The caption's contribution to each of ``COUNTS``."""
        absent = sum(mention.hallucinated for mention in self.mentions)
        distinct = len({mention.object for mention in self.mentions})
        named = (1, int(absent > 0), len(self.mentions), absent, len(self.recalled), len(self.truth), distinct, self.length)
        return (*named, *self.text)

    @property
    def metrics(self) -> dict[str, float]:
        """The caption's own measures, never averaged: 0 where nothing is named; no precision or F1 where the image has no object."""
        _, hallucinating, mentions, absent, right, there, named, *_ = self.counts
        found = {"chair_s": float(hallucinating), "chair_i": absent / mentions if mentions else 0.0, "recall": right / max(there, 1)}
        if there:
            found |= {"precision": right / max(named, 1), "f1": 2 * right / (named + there)}
        return found

    def as_dict(self) -> dict[str, Any]:
        """The record for a results file."""
        mentions = [{**vars(mention), "tokens": list(mention.tokens)} for mention in self.mentions]
        return {
            "image_id": self.image_id,
            "mentions": mentions,
            "recalled": list(self.recalled),
            "truth": list(self.truth),
            "length": self.length,
            "text": dict(zip(TEXT_COUNTS, self.text, strict=True)),
            "metrics": self.metrics,
        }


@dataclass(frozen=True)
class Chair:
    """CHAIR of captions, image by image.

    An image that is answered twice counts twice, with its objects; an empty caption counts as a caption and misses every object.

    Parameters
    ----------
    truth : by image id, the objects that are in it (COCO's names), those of its instances and of people's captions
    reader : of words
    unknown : what a caption of an image without ground truth is: "error", or "empty" as in the public code, where nothing is in such an
        image and whatever is named is hallucinated
    """

    truth: Mapping[int, frozenset[str]]
    reader: Reader = field(default_factory=Bundled)
    unknown: str = "error"

    name: ClassVar[str] = "chair"
    counts: ClassVar[Sequence[str]] = COUNTS
    catalogue: ClassVar[Mapping[str, Measure]] = MEASURES
    measures: ClassVar[Mapping[str, Measure]] = MEASURES
    primary: ClassVar[Sequence[str]] = ("chair_s", "chair_i", "f1")

    def __post_init__(self) -> None:
        if self.unknown not in UNKNOWN:
            raise ValueError(f"Chair.unknown must be one of {', '.join(UNKNOWN)}; got {self.unknown!r}.")

    @property
    def mode(self) -> str:
        """How words were read."""
        return self.reader.mode

    def records(self, answers: Sequence[Answer]) -> list[ChairRecord]:
        """One record a caption, in their order.

        Raises
        ------
        BadInput : a caption of an image without ground truth, unless `unknown` is "empty"
        """
        if self.unknown == "error":
            must_be_known(answers, self.truth, "captions")
        nothing: frozenset[str] = frozenset()
        return [score_caption(one.text, self.truth.get(one.image_id, nothing), one.image_id, self.reader) for one in answers]

    def ratios(self, total: Float[np.ndarray, "*draw count"]) -> dict[str, Float[np.ndarray, "*draw"]]:
        """The measures from summed counts; NaN where a denominator is zero."""
        return ratios(total)

    def reasons(self, total: Float[np.ndarray, "count"]) -> dict[str, str]:
        """By measure, why it is NaN."""
        return reasons(ratios(total))


def score_caption(caption: str, truth: Iterable[str], image_id: int = 0, reader: Reader | None = None) -> ChairRecord:
    """The record of one caption against the objects that are in its image (COCO's names); bundled words if there is no reader."""
    reader = Bundled() if reader is None else reader
    table, there, read = reader.vocabulary.table, frozenset(truth), reader.words(caption)
    mentions = tuple(
        ChairMention(w.text, table[w.text], w.start, w.end, table[w.text] not in there, (w.first, w.last)) for w in read if w.text in table
    )
    recalled = sorted({mention.object for mention in mentions} & there)
    length, written = len(reader.merged(caption)), text_counts(caption, mentions)
    return ChairRecord(image_id, mentions, tuple(recalled), tuple(sorted(there)), length, written)


def ground_truth(annotations: Mapping, captions: Iterable[tuple[int, str]] = (), reader: Reader | None = None) -> dict[int, frozenset[str]]:
    """The objects of each image: its annotated instances (crowds included) and what people's captions of it name.

    Parameters
    ----------
    annotations
        COCO's instances format: ``images``, ``annotations``, ``categories``.
    captions
        Pairs of image id and a person's caption.
    reader
        Of the captions' words; bundled if there is none.
    """
    reader = Bundled() if reader is None else reader
    table = reader.vocabulary.table
    names = {category["id"]: table[category["name"]] for category in annotations["categories"]}
    found: dict[int, set[str]] = {image["id"]: set() for image in annotations["images"]}
    for item in annotations["annotations"]:
        found.setdefault(item["image_id"], set()).add(names[item["category_id"]])
    for image_id, caption in captions:
        found.setdefault(image_id, set()).update(table[word.text] for word in reader.words(caption) if word.text in table)
    return {image_id: frozenset(objects) for image_id, objects in found.items()}


def count(records: Iterable[ChairRecord]) -> Float[np.ndarray, "caption count"]:
    """The captions' contributions to ``COUNTS``: what a bootstrap over images resamples."""
    return np.array([record.counts for record in records], dtype=float).reshape(-1, len(COUNTS))


def ratios(total: Float[np.ndarray, "*draw count"]) -> dict[str, Float[np.ndarray, "*draw"]]:
    """The measures from summed counts; NaN where a denominator is zero.

    F1 is PAI's, 2PR / (P + R) of the summed precision and recall; `f1_instance` is the harmonic mean of recall and 1 - CHAIR_i, which
    other papers call F1.
    """
    column = dict(zip(COUNTS, np.moveaxis(np.asarray(total, dtype=float), -1, 0), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {name: np.asarray(column[above] / column[below]) for name, (above, below, _) in RATIOS.items()}
        for name, precise in (("f1", found["precision"]), ("f1_instance", 1 - found["chair_i"])):
            found[name] = np.asarray(2 * precise * found["recall"] / (precise + found["recall"]))
    return found


def reasons(found: Mapping[str, Float[np.ndarray, ""]]) -> dict[str, str]:
    """By measure, why it is NaN."""
    told = {name: why for name, (_, _, why) in RATIOS.items()} | dict.fromkeys(("f1", "f1_instance"), F1_REASON)
    return {name: why for name, why in told.items() if math.isnan(found[name])}
