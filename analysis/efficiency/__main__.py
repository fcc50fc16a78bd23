"""`python -m analysis.efficiency`: what KVSmooth and recording cost, as ratios to plain sdpa generate, measured in turn in one process.

`python -m analysis.efficiency --json OUT` builds a random Llama of about 100 M parameters, lets every arm generate the same number of
tokens after the same prompt, round after round in an order that rotates, and reports the median over rounds of time(arm) / time(plain) of
the same round. A second plain arm shows the noise. nnsight leaves its controllers on a model that it wrapped, so the recording arms run a
copy, and the plain ones a model that was never wrapped. Peak memory is that of a fresh process which runs one arm only. Absolute times
are those of the machine at hand; only the ratios are meant to travel.
"""

import copy
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, StoppingCriteria, StoppingCriteriaList

from analysis.efficiency import prompt as prompt_cost
from analysis.efficiency.prompt import PromptCost
from kvsmooth import KVSmooth
from probes.command.cli import BadInput, needs_posix, run_cli
from probes.command.files import write_bytes
from probes.command.provenance import provenance
from probes.command.strict_json import json_text
from probes.command.terminal import say
from probes.options import check_positive
from probes.regimes import record_inputs


@dataclass(frozen=True)
class EfficiencyConfig:
    """Cost of KVSmooth and of recording, as ratios to plain sdpa generate."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("--json cost.json", "--prompt --json prompt.json", "--rounds 1 --new-tokens 32")
    json: Path | None = None
    """results file; printed only when left out"""
    prompt_tokens: int = 600
    """length of the prompt"""
    new_tokens: int = 128
    """tokens generated a run"""
    rounds: int = 5
    """interleaved rounds; the ratios' medians are taken over them"""
    hidden: int = 768
    """width of the random Llama"""
    layers: int = 12
    """its decoder layers"""
    heads: int = 12
    """its query and key/value heads"""
    vocabulary: int = 16000
    """its vocabulary; 97 M parameters with the other defaults"""
    threads: int = 1
    """torch threads"""
    prompt: bool = False
    """measure attention statistics of whole prompts instead, without maps and with them; the options of the model and of generation then
    count for nothing"""
    lengths: tuple[int, ...] = PromptCost.lengths
    """tokens of the prompts, with `prompt`"""
    memory: bool = True
    """also start a process an arm and report its peak memory"""
    debug: bool = False
    """show the trace of an error"""

    def __post_init__(self):
        check_positive(self, "prompt_tokens", "rounds", "hidden", "layers", "heads", "vocabulary", "threads")
        if self.new_tokens < 2:
            raise BadInput(f"EfficiencyConfig.new_tokens must be at least 2, a prefill and a decoding step; got {self.new_tokens}.")


class StepClock(StoppingCriteria):
    """Stamps the clock after every forward, and never stops; it costs every arm the same."""

    def __init__(self):
        self.stamps = []

    def __call__(self, input_ids, scores, **kwargs):
        self.stamps.append(time.perf_counter())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def build(config: EfficiencyConfig) -> tuple[LlamaForCausalLM, dict]:
    """A random Llama and a random prompt, the same in every process."""
    torch.manual_seed(0)
    text = LlamaConfig(
        vocab_size=config.vocabulary,
        hidden_size=config.hidden,
        intermediate_size=config.hidden * 8 // 3,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        max_position_embeddings=config.prompt_tokens + config.new_tokens,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    text._attn_implementation = "sdpa"
    ids = torch.randint(3, config.vocabulary, (1, config.prompt_tokens))
    return LlamaForCausalLM(text).eval(), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _generate(model, inputs, config, clock, **extra):
    criteria = StoppingCriteriaList([clock])
    return model.generate(**inputs, max_new_tokens=config.new_tokens, do_sample=False, stopping_criteria=criteria, **extra)


def _smoothed(options: dict) -> Callable:
    def arm(model, inputs, config, clock):
        with KVSmooth(**options)(model):
            _generate(model, inputs, config, clock)

    return arm


def _recorded(method: KVSmooth | None) -> Callable:
    def arm(model, inputs, config, clock):
        record_inputs(model, inputs, method, max_new_tokens=config.new_tokens, stopping_criteria=StoppingCriteriaList([clock]))

    return arm


def _with_maps(model, inputs, config, clock):
    model.set_attn_implementation("eager")
    try:
        _generate(model, inputs, config, clock, output_attentions=True, output_hidden_states=True, return_dict_in_generate=True)
    finally:
        model.set_attn_implementation("sdpa")


ARMS: dict[str, Callable] = {
    "plain": _generate,
    "plain_again": _generate,
    "kvsmooth": _smoothed({}),
    "kvsmooth_fast": _smoothed({"exact": False}),
    "recording": _recorded(None),
    "recording_kvsmooth": _recorded(KVSmooth()),
    "eager_maps": _with_maps,
}


def time_arm(name: str, model, inputs, config) -> dict[str, float]:
    """Seconds of the whole call, and of its decoding steps alone (second forward to last)."""
    clock = StepClock()
    start = time.perf_counter()
    with torch.no_grad():
        ARMS[name](model, inputs, config, clock)
    return {"whole": time.perf_counter() - start, "decode": clock.stamps[-1] - clock.stamps[0]}


def ratios(rounds: list[dict[str, dict[str, float]]], part: str) -> dict[str, dict[str, float]]:
    """Median, minimum and maximum over rounds of time(arm) / time(plain) within the round."""
    table = {}
    for name in rounds[0]:
        values = [one[name][part] / one["plain"][part] for one in rounds]
        table[name] = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return table


def _peak_of(name: str, config: EfficiencyConfig, queue) -> None:
    torch.set_num_threads(config.threads)
    # every arm once on a toy, so that all processes have loaded the same libraries
    small = replace(config, prompt_tokens=8, new_tokens=2, hidden=64, layers=6, heads=2, vocabulary=64)
    for every in ARMS:
        time_arm(every, *build(small), small)
    model, inputs = build(config)
    time_arm(name, model, inputs, config)
    import resource  # of POSIX alone

    queue.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def peak_memory(name: str, config: EfficiencyConfig) -> int:
    """Peak resident bytes of a fresh process that builds the model and runs one arm once."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_peak_of, args=(name, config, queue))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"the memory run of arm '{name}' ended with status {process.exitcode}")
    return queue.get()


def measure(config: EfficiencyConfig) -> dict:
    """All arms, round after round; the content of the results file."""
    # first: the peak that the system tells of a process starts at that of the process which started it
    peaks = {}
    if config.memory:
        peaks = {name: peak_memory(name, config) for name in tqdm(ARMS, desc="peak memory", disable=not sys.stderr.isatty())}
    torch.set_num_threads(config.threads)
    model, inputs = build(config)
    models = dict.fromkeys(ARMS, model)
    models |= dict.fromkeys((name for name in ARMS if name.startswith("recording")), copy.deepcopy(model))
    order, rounds = list(ARMS), []
    # round 0 warms every arm up and is not counted
    for index in tqdm(range(config.rounds + 1), desc="rounds", disable=not sys.stderr.isatty()):
        turned = order[index % len(order) :] + order[: index % len(order)]
        timed = {name: time_arm(name, models[name], inputs, config) for name in turned}
        rounds.append({name: timed[name] for name in ARMS})
    rounds = rounds[1:]
    whole, decode = ratios(rounds, "whole"), ratios(rounds, "decode")
    return {
        "ratios": {name: row["median"] for name, row in whole.items()},
        "ratios_decode": {name: row["median"] for name, row in decode.items()},
        "spread": {"whole": whole, "decode": decode},
        "medians": {
            name: {part: statistics.median(one[name][part] for one in rounds) for part in ("whole", "decode")} for name in rounds[0]
        },
        "peak_extra_bytes": {name: peak - peaks["plain"] for name, peak in peaks.items()},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "n": config.rounds,
        # where the file lies is no part of how its numbers came about
        "provenance": provenance(replace(config, json=None)),
    }


def table(results: dict) -> str:
    """The results as aligned text."""
    size = f"{results['parameters'] / 1e6:.0f} M parameters, {results['n']} rounds"
    lines = [f"{size}; time / time of plain sdpa generate in the same round, median [min, max]"]
    lines.append(f"{'arm':<20}{'whole call':>24}{'decoding steps':>24}{'extra peak MB':>16}")
    for name in results["ratios"]:
        cells = (results["spread"][part][name] for part in ("whole", "decode"))
        text = "".join(f"{cell['median']:>10.3f} [{cell['min']:.3f}, {cell['max']:.3f}]".rjust(24) for cell in cells)
        extra = results["peak_extra_bytes"].get(name)
        lines.append(f"{name:<20}{text}{'' if extra is None else f'{extra / 1e6:.1f}':>16}")
    return "\n".join(lines)


def main(config: EfficiencyConfig) -> None:
    needs_posix("it measures memory as they tell it")
    if config.prompt:
        results = prompt_cost.measure(PromptCost(config.lengths, config.rounds, config.threads, config.memory))
        text = prompt_cost.table(results)
    else:
        results = measure(config)
        text = table(results)
    say(text)
    if config.json is not None:
        write_bytes(config.json, (json_text(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    run_cli(EfficiencyConfig, main)
