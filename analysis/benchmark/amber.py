"""AMBER: descriptions of its images, and yes-or-no questions about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.benchmark.benchmark import Benchmark
from analysis.benchmark.evaluation import Evaluation, of_a_question
from analysis.benchmark.images import Source
from analysis.benchmark.plan import PlanItem
from analysis.benchmark.questions import folder, mixed, of_images
from probes.command.cli import BadInput

if TYPE_CHECKING:
    from analysis.datasets.amber import Amber, AmberQuery


@dataclass(frozen=True)
class AmberBenchmark(Benchmark):
    """What AMBER's query files ask, in the order of their ids; without them, a description of each image."""

    @property
    def asks(self) -> str:
        """Of this kind are the questions."""
        return "amber"

    @cached_property
    def amber(self) -> "Amber":
        """The owners' files."""
        from analysis.datasets.amber import read_amber

        if self.config.annotations is None:
            raise BadInput("--benchmark amber: give AMBER's folder of data by --annotations.")
        return read_amber(self.config.annotations)

    @property
    def source(self) -> Source:
        """The folder of AMBER_1.jpg and the others."""
        return folder(self.config)

    def items(self) -> list[PlanItem]:
        """Descriptions, then questions, of the part that is asked for.

        A prompt with a place for a question words the questions; one without asks for the descriptions. The others stay the owners' own.
        """
        part, descriptions = self.config.part, self.amber.descriptions
        queries = [one for one in self._queries() if part == "all" or (one.id in descriptions) == (part == "generative")]
        if not queries:
            raise BadInput(f"--part {part}: {self.config.annotations} has no such queries; put AMBER's query files there, in query/.")
        asked = of_images(queries, self.config, self.among)
        wording = mixed(self.config.prompt, [one.id not in descriptions for one in asked])
        return [PlanItem(str(one.id), one.image_id, one.image, wording(one.text, one.id not in descriptions)) for one in asked]

    def measured(self, items: Sequence[PlanItem]) -> Evaluation:
        """The measures of what was asked: of descriptions, of questions, or of both."""
        from analysis.metrics.amber import AmberMetric, part_of
        from analysis.metrics.metric import Answer
        from analysis.metrics.similarity import similarity
        from analysis.words.readers import reader

        part = part_of(self.amber, [Answer(item.image_id, "", item.key) for item in items])
        read, alike = reader(self.config.mode), similarity(self.config.similarity)
        metric, descriptions = AmberMetric(self.amber, alike, read, part), {str(id) for id in self.amber.descriptions}
        return Evaluation(metric, of_a_question, is_caption=descriptions.__contains__, origin={"part": part, "words": read.key})

    def _queries(self) -> "list[AmberQuery]":
        from analysis.datasets.amber import AmberQuery

        if self.amber.queries:
            return [self.amber.queries[id] for id in sorted(self.amber.queries)]
        return [AmberQuery(id, id, f"AMBER_{id}.jpg", "Describe this image.") for id in sorted(self.amber.descriptions)]
