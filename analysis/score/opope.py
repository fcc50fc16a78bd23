"""`opope`: POPE's questions answered from captions instead of by the model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from analysis.metrics.metric import Answer
from analysis.score.options import Prepared, Scoring, Unknown
from probes.command.cli import BadInput

if TYPE_CHECKING:
    from analysis.datasets.pope import PopeQuestion

SOURCES = ("annotations", "objects", "questions")


@dataclass(frozen=True, kw_only=True)
class OpopeScoring(Scoring):
    """OPOPE: precision, F_beta and the rest of POPE's measures, of captions that are searched for the object asked about."""

    annotations: Path | None = None
    """folder with COCO's instances_*.json, or emoji: questions are built on the captioned images that have 3 objects or more"""
    objects: Path | None = None
    """instead: POPE's own JSON lines {"image_id": 1, "objects": ["dog", ...]}, whose order decides which objects are asked for"""
    questions: Path | None = None
    """instead: questions that exist, a file of POPE's format or a folder with one a strategy"""
    beta: float = 0.2
    """recall weighs beta times as much as precision in F_beta"""
    unknown: Unknown = "error"
    """captions of images that are not in the annotations: an error, or passed over (as the reference)"""
    missing: Literal["error", "leave"] = "error"
    """questions about an image that --captions (or --against) has no caption of: an error, or left out of the counts"""
    cache: Path | None = None
    """folder of what is kept of the annotations between runs; by default in the user's cache folder"""

    def __post_init__(self):
        super().__post_init__()
        if sum(getattr(self, name) is not None for name in SOURCES) != 1:
            raise ValueError("OpopeScoring needs one of --annotations, --objects and --questions.")

    def notes(self, path: Path, answers: Sequence[Answer]) -> None:
        """Nothing: of several captions of an image the last counts, and the others are told as passed over."""

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """OPOPE with questions on the images that --captions has; --against is asked the same."""
        from analysis.metrics.opope import Opope

        asked, data = self._questions([answer.image_id for answer in answers])
        return Prepared(Opope(asked, self.beta, missing=self.missing), data)

    def _questions(self, ids: Sequence[int]) -> "tuple[list[PopeQuestion], dict[str, str]]":
        from analysis.datasets.pope import poll, question_files, read_pope
        from analysis.score.provenance import sha256

        if self.questions is not None:
            return read_pope(self.questions), {"questions": sha256(question_files(self.questions))}
        if self.objects is not None:
            from analysis.datasets.object_lists import open_object_lists

            found, data = dict(open_object_lists(self.objects).objects), {"objects": sha256([self.objects])}
        else:
            from analysis.score.coco import annotated

            held = annotated(self.annotations, self.cache, ids)
            found, data = held.instances(sorted(set(ids))), {"annotations": held.key}
        return poll(found, self._known(ids, found), seed=self.seed), data

    def _known(self, ids: Iterable[int], found: dict[int, tuple[str, ...]]) -> list[int]:
        unknown = [image_id for image_id in ids if image_id not in found]
        if unknown and self.unknown == "error":
            raise BadInput(
                f"{self.captions}: {len(unknown):,} captions are of images not in {self.annotations or self.objects}, the first of "
                f"image {unknown[0]}; give the annotations that hold them, remove these lines, or pass them over by --unknown empty."
            )
        return sorted(set(ids) & set(found))
