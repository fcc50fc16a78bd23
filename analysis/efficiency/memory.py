"""Peak memory of an arm: that of a fresh process that runs it alone."""

import multiprocessing
import sys
from dataclasses import replace
from typing import Any

import torch

from analysis.efficiency.arms import ARMS, Case, timed
from analysis.efficiency.shapes import build


def peak_memory(name: str, config: Any) -> int:
    """Peak resident bytes of a fresh process that builds the model and runs one arm once."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_peak_of, args=(name, config, queue))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"the memory run of arm '{name}' ended with status {process.exitcode}")
    return queue.get()


def _peak_of(name: str, config: Any, queue: Any) -> None:
    torch.set_num_threads(config.threads)
    # every arm once on a toy, so that all processes have loaded the same libraries
    small = replace(config, subject="", prompt_tokens=8, new_tokens=2, hidden=64, layers=6, heads=2, vocabulary=64)
    for every in ARMS:
        timed(every, Case(*build(small), small.new_tokens))
    timed(name, Case(*build(config), config.new_tokens))
    import resource  # of POSIX alone

    queue.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
