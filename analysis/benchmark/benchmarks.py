"""The benchmarks: what each asks of a subject, and what scores the answers. Listed in `BENCHMARKS`.

Benchmarks with the same `asks` ask the same questions, so that one's captions are the other's too.
"""

from collections.abc import Sequence
from typing import Protocol

from analysis.benchmark.amber import AmberBenchmark
from analysis.benchmark.captioning import ChairBenchmark, OpopeBenchmark
from analysis.benchmark.halbench import HalBenchBenchmark
from analysis.benchmark.images import Source
from analysis.benchmark.measured import Measured
from analysis.benchmark.plan import Asked
from analysis.benchmark.pope import PopeBenchmark


class Benchmark(Protocol):
    """What a subject is asked, and how answers are scored.

    Attributes
    ----------
    asks : a name for the questions; plans with different ones are never mixed
    """

    @property
    def asks(self) -> str:
        """See above."""

    @property
    def source(self) -> Source:
        """Where the images are."""

    def items(self) -> list[Asked]:
        """The questions in their order, images not looked at yet."""

    def measured(self, items: Sequence[Asked]) -> Measured:
        """The metric for these questions."""


BENCHMARKS: dict[str, type] = {
    "chair": ChairBenchmark,
    "pope": PopeBenchmark,
    "opope": OpopeBenchmark,
    "amber": AmberBenchmark,
    "halbench": HalBenchBenchmark,
}
"""By name, what is made of the options and, for a plan that is there, of its image ids."""
