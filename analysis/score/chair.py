"""`chair`: which objects captions name, which of them are not in the image, and which of the image's objects they name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.metrics.metric import Answer
from analysis.score.coco import CocoScoring
from analysis.score.options import Prepared


@dataclass(frozen=True, kw_only=True)
class ChairScoring(CocoScoring):
    """CHAIR_s, CHAIR_i, recall, precision, F1 and length of captions of COCO images."""

    synonyms: Path | None = None
    """own table of words, in CHAIR's format: a line an object, its name first, then the words that name it, "dog, puppy, hound"; left out:
    CHAIR's table of COCO's 80 objects"""

    def read(self, path: Path) -> list[Answer]:
        """What the log says, in any of the shapes of `analysis.score.logs`."""
        from analysis.score.logs import read_log

        return read_log(path)

    def files(self, path: Path) -> list[Path]:
        """The log's files: of a folder, those that hold a caption each."""
        from analysis.score.logs import log_files

        return log_files(path)

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """CHAIR with the instances and human captions of the images that are captioned."""
        from analysis.metrics.chair import Chair
        from analysis.words.readers import reader
        from analysis.words.vocabulary import read_synonyms

        own = None if self.synonyms is None else read_synonyms(self.synonyms)
        read, held = reader(self.mode, own), self.annotated(answers, against)
        truth = held.truth(sorted({answer.image_id for answer in (*answers, *against)}), read)
        data = {"annotations": held.key} | ({} if own is None else {"synonyms": own.key})
        return Prepared(Chair(truth, read, unknown=self.unknown), data)
