"""The benchmarks by name. One more is a file and a line here."""

from analysis.benchmark.amber import AmberBenchmark
from analysis.benchmark.benchmark import Benchmark
from analysis.benchmark.captioning import ChairBenchmark, OpopeBenchmark
from analysis.benchmark.halbench import HalBenchBenchmark
from analysis.benchmark.pope import PopeBenchmark

BENCHMARKS: dict[str, type[Benchmark]] = {
    "chair": ChairBenchmark,
    "pope": PopeBenchmark,
    "opope": OpopeBenchmark,
    "amber": AmberBenchmark,
    "halbench": HalBenchBenchmark,
}
