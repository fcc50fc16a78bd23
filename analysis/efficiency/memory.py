"""Peak memory of an arm: that of a fresh process that runs it alone."""

from dataclasses import replace
from typing import Any

import torch

from analysis.efficiency.arms import ARMS, Case, timed
from analysis.efficiency.fresh import in_fresh_process, own_peak
from analysis.efficiency.shapes import build


def peak_memory(name: str, config: Any) -> int:
    """Peak resident bytes of a fresh process that builds the model and runs one arm once."""
    return in_fresh_process(_peak_of, name, config, told=f"the memory run of arm '{name}'")


def _peak_of(name: str, config: Any) -> int:
    torch.set_num_threads(config.threads)
    # every arm once on a toy, so that all processes have loaded the same libraries
    sizes = {"prompt_tokens": 8, "new_tokens": 2, "hidden": 64, "layers": 6, "heads": 2, "vocabulary": 64}
    small = replace(config, subject="", arms=(), image=False, prefilled=False, **sizes)
    for every in ARMS:
        timed(every, Case(*build(small), small.new_tokens))
    timed(name, Case(*build(config), config.new_tokens))
    return own_peak()
