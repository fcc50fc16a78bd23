"""What every set of annotated images answers, and CHAIR's ground truth from it: instances, and what people's captions name."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from analysis.words.readers import Reader
from analysis.words.vocabulary import Vocabulary, chair
from probes.command.cli import BadInput


class AnnotationSet(Protocol):
    """Annotated images; whatever is asked of ids that the set does not know leaves them out.

    Attributes
    ----------
    key : a hash of all that the set holds
    """

    @property
    def key(self) -> str:
        """Changes with the annotations."""

    def ids(self) -> list[int]:
        """The ids of all images, sorted."""

    def file_name(self, image_id: int) -> str:
        """The image's file, as its owners name it.

        Raises
        ------
        BadInput : the set lists no such image
        """

    def instances(self, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """The distinct names of what is annotated in each image, crowds included, in the order of the annotations."""

    def captions(self, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """What people wrote of each image, in the order of the file."""

    def truth(self, ids: Iterable[int], reader: Reader) -> dict[int, frozenset[str]]:
        """CHAIR's objects of each image: the nodes of its instances, and of its captions through the reader."""


def category_nodes(names: Iterable[str], vocabulary: Vocabulary | None = None) -> frozenset[str]:
    """CHAIR's nodes of annotated categories, by its own synonym table if no other is given.

    Raises
    ------
    BadInput : a category that the synonym table does not have
    """
    vocabulary, names = chair() if vocabulary is None else vocabulary, list(names)
    unknown = sorted(name for name in names if name not in vocabulary.table)
    if unknown and vocabulary.key:
        raise BadInput(f"the category {unknown[0]!r} is not in {vocabulary.name}; add a line that begins with it, or use its words.")
    if unknown:
        raise BadInput(f"the category {unknown[0]!r} is none of COCO's 80 objects, CHAIR cannot score it; annotate with COCO's names.")
    return frozenset(vocabulary.table[name] for name in names)


def caption_nodes(captions: Iterable[str], reader: Reader) -> frozenset[str]:
    """CHAIR's nodes of what captions name."""
    table = reader.vocabulary.table
    return frozenset(table[word.text] for caption in captions for word in reader.words(caption) if word.text in table)


def truth_of(
    instances: Mapping[int, tuple[str, ...]], captions: Mapping[int, tuple[str, ...]], reader: Reader
) -> dict[int, frozenset[str]]:
    """The union of both, for the images of `instances`."""
    return {
        image_id: category_nodes(names, reader.vocabulary) | caption_nodes(captions.get(image_id, ()), reader)
        for image_id, names in instances.items()
    }
