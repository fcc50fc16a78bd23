"""The benchmarks: what each asks of a subject, and what scores the answers. Listed in `BENCHMARKS`.

Benchmarks with the same `asks` ask the same questions, so that one's captions are the other's too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from analysis.benchmark.annotated import Annotated, annotated, bundled, pool, read_ids
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.images import Folder, Source
from analysis.benchmark.measured import Measured, of_a_question
from analysis.benchmark.names import PROMPT, QUESTION
from analysis.benchmark.plan import Asked
from probes.cli import BadInput

if TYPE_CHECKING:
    from analysis.datasets.pope import PopeQuestion


class Benchmark(Protocol):
    """What a subject is asked, and how answers are scored.

    Attributes
    ----------
    asks : a name for the questions; plans with different ones are never mixed
    """

    asks: str

    @property
    def source(self) -> Source:
        """Where the images are."""

    def items(self) -> list[Asked]:
        """The questions in their order, images not looked at yet."""

    def measured(self, items: Sequence[Asked]) -> Measured:
        """The metric for these questions."""


@dataclass(frozen=True)
class Captioning:
    """Benchmarks that ask for one caption of each of some annotated images.

    Parameters
    ----------
    config : options
    among : image ids of a plan; None: the options choose
    """

    config: BenchmarkConfig
    among: Sequence[int] | None = None
    asks = "captions"

    @cached_property
    def set(self) -> Annotated:
        """Annotations and chosen images."""
        return annotated(self.config, self.among)

    @property
    def source(self) -> Source:
        """Of the annotated images."""
        return self.set.source

    def items(self) -> list[Asked]:
        """One caption an image."""
        prompt = self.config.prompt or PROMPT
        return [Asked(str(image_id), image_id, self.set.file(image_id), prompt) for image_id in self.set.ids]


@dataclass(frozen=True)
class ChairBenchmark(Captioning):
    """CHAIR on COCO's images or the bundled scenes."""

    def measured(self, items: Sequence[Asked]) -> Measured:
        """CHAIR with the images' instances and human captions."""
        from analysis.metrics.chair import Chair
        from analysis.metrics.readers import reader

        read = reader(self.config.mode)
        truth = self.set.coco.truth([item.image_id for item in items], read)
        return Measured(Chair(truth, read), origin={"annotations": self.set.coco.key, "words": read.key})


@dataclass(frozen=True)
class OpopeBenchmark(Captioning):
    """OPOPE: the objects of POPE's questions are looked for in captions."""

    def measured(self, items: Sequence[Asked]) -> Measured:
        """OPOPE with questions built on the captioned images that have three objects or more."""
        from analysis.datasets.pope import poll
        from analysis.metrics.opope import Opope

        ids = [item.image_id for item in items]
        questions = poll(self.set.coco.instances(ids), ids, seed=self.config.seed)
        asked = {question.image_id for question in questions}
        left = len(set(ids) - asked)
        notes = [f"{left} images with fewer than three objects are not asked about"] if left else []
        origin = {"annotations": self.set.coco.key, "questions": len(questions), "seed": self.config.seed}
        return Measured(Opope(questions, missing="leave"), counts=asked.__contains__, origin=origin, notes=notes)


@dataclass(frozen=True)
class PopeBenchmark:
    """POPE: yes-or-no questions about objects, from a file or built from the annotations."""

    config: BenchmarkConfig
    among: Sequence[int] | None = None
    asks = "pope"

    @cached_property
    def questions(self) -> "list[PopeQuestion]":
        """All that is asked, file order."""
        from analysis.datasets.pope import eligible, poll, read_pope

        if self.config.questions is not None:
            found = read_pope(self.config.questions)
            return _of_images(found, self.config, self.among)
        ids = list(self.set.ids)
        if self.among is None and self.config.ids is None and not bundled(self.config):
            # POPE asks of images with three objects or more, so these are what is drawn from
            from analysis.benchmark.annotated import IMAGES, chosen

            coco = self.set.coco
            able = eligible(coco.instances(pool(coco, sorted(coco.ids()), self.config.split)))
            ids = chosen(able, self.config.images or IMAGES, self.config.seed)
        return poll(self.set.coco.instances(ids), {i: self.set.file(i) for i in ids}, seed=self.config.seed)

    @cached_property
    def set(self) -> Annotated:
        """Annotations and chosen images, where questions are built."""
        return annotated(self.config, self.among)

    @property
    def source(self) -> Source:
        """Of the annotated images, or the folder of those that a question file names."""
        return self.set.source if self.config.questions is None else _folder(self.config)

    def items(self) -> list[Asked]:
        """One item a question; questions of several strategies that read alike are asked again."""
        return [Asked(one.key, one.image_id, one.image, worded(self.config.prompt, one.text)) for one in self.questions]

    def measured(self, items: Sequence[Asked]) -> Measured:
        """Accuracy, precision, recall, F1, share of yes."""
        from analysis.metrics.pope import Pope

        asked = {item.key for item in items}
        questions = [question for question in self.questions if question.key in asked]
        origin = {"questions": len(questions), "file": None if self.config.questions is None else self.config.questions.name}
        return Measured(Pope(questions, self.config.parser, missing="leave"), of_a_question, origin=origin)


def worded(template: str | None, question: str) -> str:
    """The question, in the place that the template has for it.

    Raises
    ------
    BadInput : the template has none
    """
    if template is None:
        return question
    if QUESTION not in template:
        raise BadInput(f"--prompt {template[:60]!r}: this benchmark asks questions of its own; mark their place by {QUESTION}.")
    return template.replace(QUESTION, question)


def _folder(config: BenchmarkConfig) -> Folder:
    if config.image_folder is None:
        raise BadInput(f"--benchmark {config.benchmark}: give the folder of its images by --image-folder.")
    return Folder(config.image_folder)


def _of_images(found: list, config: BenchmarkConfig, among: Sequence[int] | None) -> list:
    """The questions about the images that are chosen; all of them where nothing chooses."""
    from analysis.benchmark.annotated import chosen

    there = {one.image_id for one in found}
    named = among if among is not None else None if config.ids is None else read_ids(config.ids)
    if named is None:
        named = there if config.images is None else chosen(sorted(there), config.images, config.seed)
    elif missing := sorted(set(named) - there):
        raise BadInput(f"{config.ids or 'the plan'}: the benchmark asks nothing about {len(missing)} images, the first is {missing[0]}.")
    wanted = set(named)
    return [one for one in found if one.image_id in wanted]


BENCHMARKS: dict[str, type[Benchmark]] = {
    "chair": ChairBenchmark,
    "pope": PopeBenchmark,
    "opope": OpopeBenchmark,
}
