"""Object HalBench: its own 300 images and questions where its file is given, else captions of annotated images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from analysis.benchmark.annotated_images import annotations_of
from analysis.benchmark.captioning import Captioning
from analysis.benchmark.evaluation import Evaluation, of_a_question
from analysis.benchmark.images import EnclosedImages, Source, named
from analysis.benchmark.plan import PlanItem
from analysis.benchmark.questions import described, of_images, worded, words_questions

if TYPE_CHECKING:
    from analysis.datasets.halbench import HalBenchQuestion
    from analysis.metrics.extractor import Extractor
    from analysis.words.readers import Reader


@dataclass(frozen=True)
class HalBenchBenchmark(Captioning):
    """Which objects of answers are not in the image, by answer and by object."""

    @property
    def asks(self) -> str:
        """Captions as others, or what the owners' file asks."""
        return "captions" if self.config.questions is None else "halbench"

    @cached_property
    def asked(self) -> "list[HalBenchQuestion]":
        """The lines of the owners' file that are chosen."""
        from analysis.datasets.halbench import read_halbench

        return of_images(read_halbench(self.config.questions), self.config, self.among)

    @property
    def source(self) -> Source:
        """Images inside the owners' file or in the folder that it names them in, or those of the annotations."""
        if self.config.questions is None:
            return super().source
        return EnclosedImages({named(one.image_id): partial(one.image, self.config.image_folder) for one in self.asked})

    def items(self) -> list[PlanItem]:
        """The file's questions, worded by a prompt with a place for them or replaced by one without; or one caption an image."""
        if self.config.questions is None:
            return super().items()
        wording = worded if words_questions(self.config.prompt) else described
        return [PlanItem(f"{one.image_id}", one.image_id, named(one.image_id), wording(self.config.prompt, one.text)) for one in self.asked]

    def measured(self, items: Sequence[PlanItem]) -> Evaluation:
        """Response and mention hallucination, with instances and human captions read noun by noun."""
        from analysis.metrics.halbench import HalBench
        from analysis.metrics.halbench_words import NounReader
        from analysis.words.readers import reader

        read = reader(self.config.mode)
        coco = self.set.coco if self.config.questions is None else annotations_of(self.config)
        nouns = NounReader(read)
        truth = coco.truth([item.image_id for item in items], nouns)
        extractor = self._extractor(read, items)
        metric = HalBench(truth, extractor, reader=read)
        return Evaluation(metric, of_a_question, origin={"annotations": coco.key, "words": nouns.key, "extractor": extractor.name})

    def _extractor(self, read: "Reader", items: Sequence[PlanItem]) -> "Extractor":
        config = self.config
        if not config.extractor:
            from analysis.metrics.extractor import Rules

            return Rules(read)
        from analysis.metrics.extractor_openai import OpenAIExtractor

        asked = {item.image_id: item.prompt for item in items}
        return OpenAIExtractor(config.extractor, config.extractor_model, config.out / config.benchmark / "extracted.jsonl", asked)
