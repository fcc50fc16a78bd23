"""`chair`: which objects captions name, which of them are not in the image, and which of the image's objects they name."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.metrics.metric import Answer
from analysis.score.coco import CocoScoring
from analysis.score.options import Prepared


@dataclass(frozen=True, kw_only=True)
class ChairScoring(CocoScoring):
    """CHAIR_s, CHAIR_i, recall, precision, F1 and length of captions of COCO images."""

    def prepared(self, answers: Sequence[Answer], against: Sequence[Answer] = ()) -> Prepared:
        """CHAIR with the instances and human captions of the images that are captioned."""
        from analysis.metrics.chair import Chair
        from analysis.words.readers import reader

        read, held = reader(self.mode), self.annotated(answers, against)
        truth = held.truth(sorted({answer.image_id for answer in (*answers, *against)}), read)
        return Prepared(Chair(truth, read, unknown=self.unknown), {"annotations": held.key})
