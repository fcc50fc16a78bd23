"""The benchmarks by name. One more is a file and a line here, under the name of its metric in `analysis.metrics.METRICS`."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.benchmark.benchmark import Benchmark

BENCHMARKS = {
    "chair": "captioning:ChairBenchmark",
    "pope": "pope:PopeBenchmark",
    "opope": "captioning:OpopeBenchmark",
    "amber": "amber:AmberBenchmark",
    "halbench": "halbench:HalBenchBenchmark",
}
"""Module of this folder and class, loaded when it is asked for: the options, with which every benchmark is made, know the names."""


def benchmark_class(name: str) -> "type[Benchmark]":
    """The class of a benchmark."""
    module, _, kind = BENCHMARKS[name].partition(":")
    return getattr(importlib.import_module(f"analysis.benchmark.{module}"), kind)
