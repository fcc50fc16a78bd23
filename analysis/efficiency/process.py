"""All rounds of one process: it builds the model, and runs every arm on it, round after round."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from tqdm import tqdm

from analysis.efficiency.arms import Case, read_before, recorded
from analysis.efficiency.config import EfficiencyConfig
from analysis.efficiency.fresh import in_fresh_process
from analysis.efficiency.rounds import Round, chosen, rounds
from analysis.efficiency.shapes import build, smoothed_layers, twin


@dataclass(frozen=True)
class Timings:
    """What was run, and how long it took.

    Parameters
    ----------
    found : the rounds, those of one process after those of another
    parameters : numbers that the model has
    prompt_tokens : length of the prompt
    smoothed_layers : layers that KVSmooth acts on; None for its default band
    """

    found: list[Round]
    parameters: int
    prompt_tokens: int
    smoothed_layers: tuple[int, ...] | None


def of_processes(config: EfficiencyConfig, quiet: bool) -> Timings:
    """The rounds of so many fresh processes, one after another; of this one where one is asked for.

    Raises
    ------
    RuntimeError : a process did not end well
    """
    if config.processes == 1:
        with tqdm(total=config.rounds + 1, desc="rounds", disable=quiet) as progress:
            return of_this_process(config, progress.update)
    told = tqdm(range(config.processes), desc="processes", disable=quiet)
    each = [
        in_fresh_process(of_this_process, config, _untold, index * config.rounds, told=f"process {index + 1} of {config.processes}")
        for index in told
    ]
    return Timings([one for part in each for one in part.found], each[0].parameters, each[0].prompt_tokens, each[0].smoothed_layers)


def of_this_process(config: EfficiencyConfig, ended: Callable[[], object], turned: int = 0) -> Timings:
    """The rounds of this process.

    Parameters
    ----------
    ended : called after each round
    turned : by how many arms the order of its first round is turned; a process goes on where the one before ended
    """
    names = chosen(config.named)
    torch.set_num_threads(config.threads)
    model, inputs = build(config)
    watched = twin(model) if any(map(recorded, names)) else model
    cache = read_before(model, inputs) if config.prefilled else None
    cases = {name: Case(watched if recorded(name) else model, inputs, config.new_tokens, cache) for name in names}
    found = rounds(cases, config.rounds, ended, turned)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Timings(found, parameters, inputs["input_ids"].shape[1], smoothed_layers(model))


def _untold() -> None:
    """In a process of its own: a bar's lock would be left behind where that is interrupted."""
