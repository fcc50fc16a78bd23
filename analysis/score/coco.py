"""What a benchmark on COCO images needs: the annotation files, and how words are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.score.options import Mode, Scoring, Unknown

if TYPE_CHECKING:
    from analysis.datasets.coco import Coco


@dataclass(frozen=True, kw_only=True)
class CocoScoring(Scoring):
    """Scoring against COCO's annotation files."""

    annotations: Path
    """folder with COCO's instances_*.json and captions_*.json, as COCO distributes them"""
    cache: Path | None = None
    """folder of what is kept of the annotations between runs; by default in the user's cache folder"""
    mode: Mode = "auto"
    """how words are read: exact (NLTK, as the reference), bundled (no download), auto (exact where NLTK and its data are found)"""
    unknown: Unknown = "error"
    """captions of images that are not in the annotations: an error, or an image without objects (as the reference)"""

    def coco(self) -> "Coco":
        """The annotations, from the cache where they were read before."""
        from analysis.datasets.coco import open_coco

        return open_coco(self.annotations, cache=self.cache)
