"""Benchmarks on captions of annotated images: CHAIR and OPOPE."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.benchmark.annotated_images import AnnotatedImages, annotated
from analysis.benchmark.benchmark import Benchmark
from analysis.benchmark.evaluation import Evaluation
from analysis.benchmark.images import Source
from analysis.benchmark.names import PROMPT
from analysis.benchmark.plan import PlanItem
from analysis.benchmark.questions import described


@dataclass(frozen=True)
class Captioning(Benchmark):
    """Benchmarks that ask for one caption of each of some annotated images."""

    @property
    def asks(self) -> str:
        """Of this kind are the questions."""
        return "captions"

    @cached_property
    def set(self) -> AnnotatedImages:
        """Annotations and chosen images."""
        return annotated(self.config, self.among)

    @property
    def source(self) -> Source:
        """Of the annotated images."""
        return self.set.source

    def items(self) -> list[PlanItem]:
        """One caption an image."""
        prompt = described(self.config.prompt, PROMPT)
        return [PlanItem(str(image_id), image_id, self.set.file(image_id), prompt) for image_id in self.set.ids]


@dataclass(frozen=True)
class ChairBenchmark(Captioning):
    """CHAIR on COCO's images or the bundled scenes."""

    def measured(self, items: Sequence[PlanItem]) -> Evaluation:
        """CHAIR with the images' instances and human captions."""
        from analysis.metrics.chair import Chair
        from analysis.words.readers import reader

        read = reader(self.config.mode)
        truth = self.set.coco.truth([item.image_id for item in items], read)
        return Evaluation(Chair(truth, read), origin={"annotations": self.set.coco.key, "words": read.key})


@dataclass(frozen=True)
class OpopeBenchmark(Captioning):
    """OPOPE: the objects of POPE's questions are looked for in captions."""

    def measured(self, items: Sequence[PlanItem]) -> Evaluation:
        """OPOPE with questions built on the captioned images that have three objects or more."""
        from analysis.datasets.pope import poll
        from analysis.metrics.opope import Opope

        ids = [item.image_id for item in items]
        questions = poll(self.set.coco.instances(ids), ids, seed=self.config.seed)
        asked = {question.image_id for question in questions}
        left = len(set(ids) - asked)
        notes = [f"{left} images with fewer than three objects are not asked about"] if left else []
        origin = {"annotations": self.set.coco.key, "questions": len(questions), "seed": self.config.seed}
        return Evaluation(Opope(questions, missing="leave"), counts=asked.__contains__, origin=origin, notes=notes)
