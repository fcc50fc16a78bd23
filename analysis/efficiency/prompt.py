"""What attention statistics of whole prompts cost, without maps and with them, and whether the bars that were set are met.

`python -m analysis.efficiency --prompt` gives every arm the same random queries, keys and values of one layer. Times are ratios within
a round, arms in turn. Memory is that of a fresh process a length and arm: what its peak rose by, outputs included. The eager arm's mask
is made beforehand and costs it neither time nor memory.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm
from transformers.models.llama.modeling_llama import eager_attention_forward

from analysis.efficiency.fresh import in_fresh_process, own_peak
from analysis.efficiency.names import LENGTHS
from kvsmooth.flash_entropy import flash_entropy
from kvsmooth.map_statistics import map_statistics
from kvsmooth.measures import TINY
from probes.command.cli import BadInput
from probes.command.provenance import provenance
from probes.options import check_positive

HEADS, CHANNELS, GROUPS = 8, 64, 3
TIME_BAR, MEMORY_BAR, MEMORY_FROM = 1 / 2, 1 / 20, 4000
"""Statistics without maps against eager ones: time at most a half, memory at most a twentieth from 4k tokens on."""


@dataclass(frozen=True)
class PromptCost:
    """How to measure: numbers of tokens, interleaved rounds, torch threads, and whether to start the processes that tell memory."""

    lengths: tuple[int, ...] = LENGTHS
    rounds: int = 5
    threads: int = 1
    memory: bool = True

    def __post_init__(self):
        if not self.lengths or min(self.lengths) < GROUPS:
            raise BadInput(f"PromptCost.lengths must be numbers of at least {GROUPS} tokens; got {self.lengths}.")
        check_positive(self, "rounds", "threads")


@dataclass(frozen=True)
class RandomLayer:
    """Queries, keys and values of one layer, a group number a key, and the additive mask that eager attention adds."""

    query: Float[Tensor, "row head query channel"]
    key: Float[Tensor, "row head key channel"]
    value: Float[Tensor, "row head key channel"]
    groups: Int[Tensor, "row key"]
    mask: Float[Tensor, "1 1 query key"] | None


def layer(tokens: int, mask: bool) -> RandomLayer:
    """A random layer, the same in every process; `mask` makes the one that only eager attention needs."""
    torch.manual_seed(0)
    query, key, value = [torch.randn(1, HEADS, tokens, CHANNELS) for _ in range(3)]
    groups = (torch.arange(tokens) * GROUPS // tokens)[None]
    return RandomLayer(query, key, value, groups, torch.full((tokens, tokens), -torch.inf).triu_(1)[None, None] if mask else None)


def _plain(given: RandomLayer) -> tuple[Tensor, ...]:
    return (torch.nn.functional.scaled_dot_product_attention(given.query, given.key, given.value, is_causal=True),)


def _eager_maps(given: RandomLayer) -> tuple[Tensor, ...]:
    module: Any = torch.nn.Identity().eval()
    module.num_key_value_groups = 1
    output, maps = eager_attention_forward(module, given.query, given.key, given.value, given.mask, CHANNELS**-0.5)
    mass = maps @ torch.nn.functional.one_hot(given.groups[0], GROUPS).float()
    received = maps.sum(2)
    # one more map, reused: the least memory and time that -sum p ln p of a map in the hand takes
    return output, -maps.clamp_min(TINY).log_().mul_(maps).sum(-1), mass, received


def _map_statistics(given: RandomLayer) -> tuple[Tensor, ...]:
    found = map_statistics(given.query, given.key, groups=given.groups)
    return (*_plain(given), found.entropy, found.mass, found.column_sums)


def _flash_entropy(given: RandomLayer) -> tuple[Tensor, ...]:
    return (*_plain(given), flash_entropy(given.query, given.key))


ARMS: dict[str, Callable[[RandomLayer], tuple[Tensor, ...]]] = {
    "plain": _plain,
    "eager_maps": _eager_maps,
    "map_statistics": _map_statistics,
    "flash_entropy": _flash_entropy,
}
"""Each returns the attention's output first, then entropy, mass of three groups and column sums as far as the arm has them."""


def check_memory(lengths: tuple[int, ...]) -> None:
    """Refuse lengths whose eager maps do not fit into the memory at hand.

    Raises
    ------
    BadInput : in one line, with what is needed and what there is
    """
    # two maps at once (scores and probabilities, or probabilities and their logarithms), the mask and room for one more, and the states
    longest = max(lengths)
    needed = 4 * longest**2 * (2 * HEADS + 2) + 40 * HEADS * CHANNELS * longest
    there = available_memory()
    if there is not None and needed > there:
        line = f"needs about {needed / 1e9:.1f} GB for eager maps at {longest} tokens, and {there / 1e9:.1f} GB are free"
        raise BadInput(f"PromptCost.lengths: {line}: give shorter --lengths.")


def available_memory() -> int | None:
    """Bytes that a new process may take, as far as the system says; None where it does not."""
    try:
        with open("/proc/meminfo", encoding="utf-8") as told:
            return next(int(line.split()[1]) * 1024 for line in told if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        names = os.sysconf_names
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_AVPHYS_PAGES" in names else None


def _rise_of(name: str, tokens: int, threads: int) -> int:
    torch.set_num_threads(threads)
    with torch.no_grad():
        for every in ARMS.values():
            every(layer(16, mask=True))
        given = layer(tokens, mask=name == "eager_maps")
        # the peak of a process stands where its imports left it: fill up to there, or the arm's first megabytes would not show
        before, ballast = own_peak(), []
        while own_peak() == before:
            ballast.append(b"\1" * 2**18)
        before = own_peak()
        kept = ARMS[name](given)
        rise = own_peak() - before
    del kept, ballast
    return rise


def peak_rise(name: str, tokens: int, threads: int = 1) -> int:
    """Bytes by which one call of an arm raises the peak of a fresh process that holds its inputs, outputs included."""
    return in_fresh_process(_rise_of, name, tokens, threads, told=f"the memory run of arm '{name}' at {tokens} tokens")


@torch.no_grad()
def time_rounds(tokens: int, rounds: int, progress: tqdm) -> list[dict[str, float]]:
    """Seconds of every arm, round after round in an order that turns; a first round warms up and is not counted."""
    given, order, timed = layer(tokens, mask=True), list(ARMS), []
    for index in range(rounds + 1):
        turned = order[index % len(order) :] + order[: index % len(order)]
        seconds = {}
        for name in turned:
            start = time.perf_counter()
            ARMS[name](given)
            seconds[name] = time.perf_counter() - start
        timed.append({name: seconds[name] for name in order})
        progress.update()
    return timed[1:]


def measure(config: PromptCost) -> dict:
    """Every length and arm; the content of the results file, lengths as text because JSON has no other keys."""
    check_memory(config.lengths)
    quiet = not sys.stderr.isatty()
    # first, while this process is small: the peak that the system tells of a process starts at that of the process which started it
    runs = [(tokens, name) for tokens in config.lengths for name in ARMS] if config.memory else []
    rises = {run: peak_rise(run[1], run[0], config.threads) for run in tqdm(runs, desc="peak memory", disable=quiet)}
    torch.set_num_threads(config.threads)
    with tqdm(total=len(config.lengths) * (config.rounds + 1), desc="rounds", disable=quiet) as progress:
        timed = {str(tokens): time_rounds(tokens, config.rounds, progress) for tokens in config.lengths}
    spread = {tokens: {name: _ratio(rounds, name, "plain") for name in ARMS} for tokens, rounds in timed.items()}
    return {
        "ratios": {tokens: {name: cell["median"] for name, cell in row.items()} for tokens, row in spread.items()},
        "spread": spread,
        "medians": {t: {name: statistics.median(one[name] for one in rounds) for name in ARMS} for t, rounds in timed.items()},
        "memory": {str(tokens): {name: rises[tokens, name] for name in ARMS} for tokens in config.lengths} if config.memory else {},
        "bars": bars(timed, rises),
        "n": config.rounds,
        "provenance": provenance(config),
    }


def _ratio(rounds: list[dict[str, float]], name: str, to: str) -> dict[str, float]:
    values = [one[name] / one[to] for one in rounds]
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def bars(timed: dict[str, list[dict[str, float]]], rises: dict[tuple[int, str], int]) -> list[dict]:
    """What was asked of `map_statistics` beside `eager_maps`, what was measured, and whether that is met."""
    found: list[dict[str, Any]] = []
    for tokens, rounds in timed.items():
        value = _ratio(rounds, "map_statistics", "eager_maps")["median"]
        found.append({"what": "time", "tokens": int(tokens), "value": value, "bar": TIME_BAR})
        if int(tokens) >= MEMORY_FROM and (int(tokens), "eager_maps") in rises:
            value = rises[int(tokens), "map_statistics"] / rises[int(tokens), "eager_maps"]
            found.append({"what": "memory", "tokens": int(tokens), "value": value, "bar": MEMORY_BAR})
    return [bar | {"met": bar["value"] <= bar["bar"]} for bar in found]


def table(results: dict) -> str:
    """The results as aligned text, then each bar with "met" or "not met"."""
    what = f"{HEADS} heads, {CHANNELS} channels, float32, {results['n']} rounds"
    lines = [f"{what}; time / time of plain sdpa in the same round, median [min, max]; peak memory of one call"]
    lines.append(f"{'tokens':>8}  {'arm':<16}{'time':>28}{'ms':>10}{'MB':>10}")
    for tokens, row in results["spread"].items():
        for name, cell in row.items():
            ratio = f"{cell['median']:.2f} [{cell['min']:.2f}, {cell['max']:.2f}]"
            rise = results["memory"].get(tokens, {}).get(name)
            taken = "" if rise is None else f"{rise / 1e6:.1f}"
            lines.append(f"{tokens:>8}  {name:<16}{ratio:>28}{results['medians'][tokens][name] * 1e3:>10.1f}{taken:>10}")
    for bar in results["bars"]:
        said = f"{bar['what']} of map_statistics at {bar['tokens']} tokens is {bar['value']:.3f} of eager maps"
        lines.append(f"{said}, bar {bar['bar']:g}: {'met' if bar['met'] else 'not met'}")
    return "\n".join(lines)
