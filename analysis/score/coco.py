"""What a benchmark on COCO images needs: the annotation files, and how words are read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.metrics.metric import Answer
from analysis.score.options import Mode, Scoring, Unknown

if TYPE_CHECKING:
    from analysis.datasets.annotation_set import AnnotationSet

COCOS = ("instances_", "captions_")
"""How COCO's own files begin, of which the folder is asked for."""
SCENES = Path("emoji")
"""In place of a folder: the scenes of the bundled subject."""


@dataclass(frozen=True, kw_only=True)
class CocoScoring(Scoring):
    """Scoring against COCO's annotation files."""

    annotations: Path
    """folder with COCO's instances_*.json and captions_*.json, as COCO distributes them; a file of JSON lines {"image_id": 1, "objects":
    ["dog", ...]} that hold all that is in an image; or emoji, the bundled subject's unseen scenes"""
    cache: Path | None = None
    """folder of what is kept of the annotations between runs; by default in the user's cache folder"""
    mode: Mode = "auto"
    """how words are read: exact (NLTK, as the reference), bundled (no download), auto (exact where NLTK and its data are found)"""
    unknown: Unknown = "error"
    """captions of images that are not in the annotations: an error, or an image without objects (as the reference)"""

    def annotated(self, *answers: Sequence[Answer]) -> "AnnotationSet":
        """The annotations that hold the images of these answers."""
        return annotated(self.annotations, self.cache, {answer.image_id for given in answers for answer in given})


def annotated(annotations: Path, cache: Path | None, ids: Iterable[int]) -> "AnnotationSet":
    """COCO's annotations, from the cache where they were read before; lists of objects; or the bundled subject's scenes of these ids.

    Raises
    ------
    BadInput : no annotations in this folder, or they cannot be used
    """
    if annotations == SCENES and not annotations.exists():
        from analysis.datasets.emoji import emoji_coco
        from probes.subjects.emoji.scenes import IDENTIFIERS, SPLITS, scene

        # scenes that it was trained on are left out: their ids are small, and any COCO id would be one of them
        unseen = {number: name for name, number in SPLITS.items() if name != "train"}
        places = [divmod(image_id, IDENTIFIERS) for image_id in sorted(set(ids))]
        return emoji_coco([scene(index, unseen[split]) for split, index in places if split in unseen])
    if annotations.is_file() and not annotations.name.startswith(COCOS):
        from analysis.datasets.object_lists import open_object_lists

        return open_object_lists(annotations)
    from analysis.datasets.coco import open_coco

    return open_coco(annotations, cache=cache)
