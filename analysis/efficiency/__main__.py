"""`python -m analysis.efficiency`: what KVSmooth and recording cost, as ratios to plain sdpa generate, measured in turn.

`python -m analysis.efficiency --json OUT` lets every arm generate the same number of tokens after the same prompt, in many short rounds in
an order that rotates, with plain decoding between any two. It reports the median over rounds of the arm's time / the mean of the plain runs
before and after it, of the processor and of the clock, with the bootstrap interval over rounds; with --processes the mean over fresh
processes, with the interval over them. A second plain arm shows the noise, and one whose cache grows in place, as under every method, what
that alone saves. nnsight leaves its controllers on a model that it wrapped, so the recording arms run a second model over the same weights.
Peak memory is that of a fresh process which runs one arm only. Absolute times are those of the machine at hand; only the ratios are meant
to travel.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.efficiency.config import EfficiencyConfig
from analysis.telling.pages import tell, with_paragraph
from probes.command.cli import BadInput, needs_posix, one_line, run_cli
from probes.command.files import write_bytes
from probes.command.provenance import provenance
from probes.command.strict_json import json_text
from probes.command.terminal import say


def check_arms(small: EfficiencyConfig, names: Sequence[str]) -> None:
    """Run each method of others for two tokens on a random Llama of little width: what it refuses is told now, not when others were timed.

    Raises
    ------
    BadInput : one refuses the model, the prompt, or the way of generating
    """
    import torch

    from analysis.efficiency.arms import ARMS, Case, StepClock, arm, read_before
    from analysis.efficiency.shapes import build
    from kvsmooth.errors import Unsupported

    model, inputs = build(small)
    case = Case(model, inputs, 2, read_before(model, inputs) if small.prefilled else None)
    for name in (name for name in names if name not in ARMS):
        try:
            with torch.no_grad():
                arm(name)(case, StepClock())
        except Unsupported as error:
            hint = "" if small.image or "image" not in str(error) else " (--image shows one to the random Llama)"
            raise BadInput(f"EfficiencyConfig.arms: {name} cannot be timed so: {one_line(error)}{hint}") from error


def measure(config: EfficiencyConfig) -> dict:
    """The arms, round after round; the content of the results file."""
    from tqdm import tqdm

    from analysis.efficiency.memory import peak_memory
    from analysis.efficiency.process import of_processes
    from analysis.efficiency.rounds import chosen, goals, summary

    names, quiet = chosen(config.named), not sys.stderr.isatty()
    if not config.subject:
        check_arms(replace(config, hidden=4 * config.heads), names)
    # first: the peak that the system tells of a process starts at that of the process which started it
    peaks = {name: peak_memory(name, config) for name in tqdm(names, desc="peak memory", disable=quiet)} if config.memory else {}
    timed = of_processes(config, quiet)
    found = summary(timed.found, config.level, config.seed, config.processes)
    return {
        **found,
        "goals": goals(found["spread"]),
        "peak_extra_bytes": {name: peak - peaks["plain"] for name, peak in peaks.items()},
        "parameters": timed.parameters,
        "prompt_tokens": timed.prompt_tokens,
        "smoothed_layers": timed.smoothed_layers,
        # where the file lies is no part of how its numbers came about
        "provenance": provenance(replace(config, json=None, page=None)),
    }


def table(results: dict) -> str:
    """The results as aligned text."""
    from analysis.efficiency.rounds import estimated, lines, run_in

    what = f"{results['parameters'] / 1e6:.0f} M parameters, {results['prompt_tokens']} tokens of prompt, {run_in(results)}"
    return "\n".join([f"{what}; time / time of plain sdpa generate before and after, {estimated(results)}", *lines(results)])


def markdown(results: dict) -> str:
    """The results as a table of a page: time of each arm as a ratio to plain decoding."""
    from analysis.efficiency.rounds import estimated, run_in

    lines = ["| arm | whole call | decoding steps alone |", "|---|---|---|"]
    for name in results["ratios"]:
        found = [results["spread"][part]["processor"][name] for part in ("whole", "decode")]
        cells = " | ".join("{ratio:.2f} [{low:.2f}, {high:.2f}]".format(**one) for one in found)
        lines.append(f"| `{name}` | {cells} |")
    note = (
        f"Processor time / that of plain sdpa `generate` before and after, {estimated(results)}; {run_in(results)}; "
        f"{results['parameters'] / 1e6:.0f} M parameters, {results['prompt_tokens']} tokens of prompt, one thread."
    )
    return "\n".join([*lines, "", note])


def check_page(page: Path, results: Path | None) -> None:
    """Refuse a page that cannot take the table.

    Raises
    ------
    BadInput : it cannot be read, lacks the marks, or is the project's, which tells of results under figures/ alone
    """
    from analysis.question.destination import is_committed
    from analysis.telling.committed import committed

    if committed(page) and not (results and is_committed(results)):
        raise BadInput(f"--page {page}: tells of results under figures/ alone; give their file by --json, or a page of your own.")
    try:
        with_paragraph(page.read_text(encoding="utf-8"), "costs", "", page)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--page {page}: cannot be read ({type(error).__name__}); it needs the marks <!-- costs -->.") from error


def main(config: EfficiencyConfig) -> None:
    """Measure, say it as a table, and keep it."""
    needs_posix("it measures memory as they tell it")
    if config.page is not None:
        if config.prompt:
            raise BadInput("--page is for the arms; leave it out with --prompt.")
        check_page(config.page, config.json)  # refused now, not when all is measured
    if config.json is not None:
        from analysis.score.results import must_be_writable  # only now: --help need not wait for the metrics

        must_be_writable(config.json)
    if config.prompt:
        from analysis.efficiency import prompt as prompt_cost

        results = prompt_cost.measure(prompt_cost.PromptCost(config.lengths, config.rounds, config.threads, config.memory))
        text = prompt_cost.table(results)
    else:
        results = measure(config)
        text = table(results)
    if config.json is not None:
        write_bytes(config.json, (json_text(results, indent=1) + "\n").encode())
    if config.page is not None:
        tell("costs", markdown(results), config.page)
    say(text)


if __name__ == "__main__":
    run_cli(EfficiencyConfig, main)
