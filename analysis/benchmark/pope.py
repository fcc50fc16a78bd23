"""POPE: yes-or-no questions about objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.benchmark.annotated_images import IMAGES, AnnotatedImages, annotated, bundled, chosen, pool
from analysis.benchmark.benchmark import Benchmark
from analysis.benchmark.evaluation import Evaluation, of_a_question
from analysis.benchmark.images import Source
from analysis.benchmark.plan import PlanItem
from analysis.benchmark.questions import folder, of_images, worded

if TYPE_CHECKING:
    from analysis.datasets.pope import PopeQuestion


@dataclass(frozen=True)
class PopeBenchmark(Benchmark):
    """POPE: yes-or-no questions about objects, from a file or built from the annotations."""

    @property
    def asks(self) -> str:
        """Of this kind are the questions."""
        return "pope"

    @cached_property
    def questions(self) -> "list[PopeQuestion]":
        """All that is asked, file order."""
        from analysis.datasets.pope import eligible, poll, read_pope

        if self.config.questions is not None:
            found = read_pope(self.config.questions)
            return of_images(found, self.config, self.among)
        ids = list(self.set.ids)
        if self.among is None and self.config.ids is None and not bundled(self.config):
            # POPE asks of images with three objects or more, so these are what is drawn from
            coco = self.set.coco
            able = eligible(coco.instances(pool(coco, sorted(coco.ids()), self.config.split)))
            ids = chosen(able, self.config.images or IMAGES, self.config.seed)
        return poll(self.set.coco.instances(ids), {i: self.set.file(i) for i in ids}, seed=self.config.seed)

    @cached_property
    def set(self) -> AnnotatedImages:
        """Annotations and chosen images, where questions are built."""
        return annotated(self.config, self.among)

    @property
    def source(self) -> Source:
        """Of the annotated images, or the folder of those that a question file names."""
        return self.set.source if self.config.questions is None else folder(self.config)

    def items(self) -> list[PlanItem]:
        """One item a question; questions of several strategies that read alike are asked again."""
        return [PlanItem(one.key, one.image_id, one.image, worded(self.config.prompt, one.text)) for one in self.questions]

    def measured(self, items: Sequence[PlanItem]) -> Evaluation:
        """Accuracy, precision, recall, F1, share of yes."""
        from analysis.metrics.pope import Pope

        asked = {item.key for item in items}
        questions = [question for question in self.questions if question.key in asked]
        origin = {"questions": len(questions), "file": None if self.config.questions is None else self.config.questions.name}
        return Evaluation(Pope(questions, self.config.parser, missing="leave"), of_a_question, is_caption=lambda key: False, origin=origin)
