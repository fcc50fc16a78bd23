"""AMBER's generative part, one description: which of its nouns people saw, which they did not, and which it was expected to imagine.

The reference's order of decisions is kept. Annotated words are looked through with all associations first, then the words themselves, and
only the first that fits is marked: with truth (forest, tree), "tree" is an association of forest and marks that, never tree; of a
word that is annotated twice only the first is marked. A noun may be marked as imagined and as seen at once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from analysis.datasets.amber import Amber, Description
from analysis.metrics.amber_nouns import Noun
from analysis.metrics.similarity import Similarity

COUNTS = ("responses", "hallucinating", "nouns", "hallucinated", "covered", "truth", "imagined", "hallu")


@dataclass(frozen=True)
class AmberMention:
    """A noun of the vocabulary.

    Attributes
    ----------
    word : its lemma
    object : the annotated word that it was taken for; itself where there is none
    start, end : characters of the answer, end exclusive
    tokens : its token, end exclusive
    hallucinated : whether people did not see it
    """

    word: str
    object: str
    start: int
    end: int
    tokens: tuple[int, int]
    hallucinated: bool


@dataclass(frozen=True)
class DescriptionRecord:
    """What one description is worth.

    Attributes
    ----------
    image_id, key : of the answer
    mentions : the nouns of the vocabulary, in order, repeats kept
    truth, covered : what people saw, and whether the description names it
    hallu, imagined : what a model may well imagine, and whether the description does
    """

    image_id: int
    key: str
    mentions: tuple[AmberMention, ...]
    truth: tuple[str, ...]
    covered: tuple[bool, ...]
    hallu: tuple[str, ...]
    imagined: tuple[bool, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """The description's contribution to each of `COUNTS`."""
        absent = sum(mention.hallucinated for mention in self.mentions)
        marks = (sum(self.covered), len(self.truth), sum(self.imagined), len(self.hallu))
        return (1, int(absent > 0), len(self.mentions), absent, *marks)

    def as_dict(self) -> dict[str, Any]:
        """For a results file."""
        return {
            "image_id": self.image_id,
            "key": self.key,
            "mentions": [vars(mention) | {"tokens": list(mention.tokens)} for mention in self.mentions],
            "recalled": [word for word, marked in zip(self.truth, self.covered, strict=True) if marked],
            "truth": list(self.truth),
            "imagined": [word for word, marked in zip(self.hallu, self.imagined, strict=True) if marked],
            "hallu": list(self.hallu),
        }


def score_description(
    nouns: Iterable[Noun], description: Description, amber: Amber, similar: Similarity, image_id: int, key: str = ""
) -> DescriptionRecord:
    """The record of a description from its nouns.

    Parameters
    ----------
    nouns : of the vocabulary, `analysis.metrics.amber_nouns.nouns`
    description : what people saw in the image
    similar : asked for nouns that are no annotated word, first (noun, annotated) pair that fits
    """
    seen = _places(description.truth, amber)
    expected = _places(description.hallu, amber)
    covered, imagined = [False] * len(description.truth), [False] * len(description.hallu)
    mentions = []
    for noun in nouns:
        entry, absent = None, False
        if noun.text not in amber.safe_words:
            entry = _first(seen, noun.text.__eq__)
            if entry is None:
                alike = partial(similar, noun.text)
                for fits in (noun.text.__eq__, alike):
                    _mark(imagined, _first(expected, fits))
                entry = _first(seen, alike)
                absent = entry is None
            _mark(covered, entry)
        taken = noun.text if entry is None else description.truth[entry]
        mentions.append(AmberMention(noun.text, taken, noun.start, noun.end, (noun.first, noun.last), absent))
    return DescriptionRecord(image_id, key, tuple(mentions), description.truth, tuple(covered), description.hallu, tuple(imagined))


def _places(words: tuple[str, ...], amber: Amber) -> list[tuple[str, int]]:
    # the order decides which of several entries a noun marks: associations of all words, then the words
    associated = [(other, entry) for entry, word in enumerate(words) for other in amber.associations[word]]
    return associated + [(word, entry) for entry, word in enumerate(words)]


def _first(places: list[tuple[str, int]], fits: Callable[[str], bool]) -> int | None:
    return next((entry for word, entry in places if fits(word)), None)


def _mark(marks: list[bool], entry: int | None) -> None:
    if entry is not None:
        marks[entry] = True
