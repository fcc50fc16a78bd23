"""What every benchmark is: questions about images, and a metric for the answers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.evaluation import Evaluation
from analysis.benchmark.images import Source
from analysis.benchmark.plan import PlanItem


@dataclass(frozen=True)
class Benchmark(ABC):
    """What a subject is asked, and how answers are scored.

    Parameters
    ----------
    config : options
    among : image ids of a plan that is there; None: the options choose
    """

    config: BenchmarkConfig
    among: Sequence[int] | None = None

    @property
    @abstractmethod
    def asks(self) -> str:
        """A name for the questions; plans with different ones are never mixed, benchmarks with the same one share captions."""

    @property
    @abstractmethod
    def source(self) -> Source:
        """Where the images are."""

    @abstractmethod
    def items(self) -> list[PlanItem]:
        """The questions in their order, images not looked at yet.

        Raises
        ------
        BadInput : an option or file cannot be used
        """

    @abstractmethod
    def measured(self, items: Sequence[PlanItem]) -> Evaluation:
        """The metric for these questions."""
