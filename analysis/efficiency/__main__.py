"""`python -m analysis.efficiency`: what KVSmooth and recording cost, as ratios to plain sdpa generate, measured in turn in one process.

`python -m analysis.efficiency --json OUT` lets every arm generate the same number of tokens after the same prompt, in many short rounds in
an order that rotates. It reports the median over rounds of time(arm) / time(plain) of the same round, of the processor and of the clock,
with the bootstrap interval over rounds. A second plain arm shows the noise. nnsight leaves its controllers on a model that it wrapped, so
the recording arms run a second model over the same weights. Peak memory is that of a fresh process which runs one arm only. Absolute times
are those of the machine at hand; only the ratios are meant to travel.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from analysis.efficiency.names import IMAGE_TOKENS, LENGTHS
from analysis.telling.pages import tell, with_paragraph
from probes.command.cli import BadInput, needs_posix, one_line, run_cli
from probes.command.files import write_bytes
from probes.command.provenance import provenance
from probes.command.strict_json import json_text
from probes.command.terminal import say
from probes.options import check_level, check_positive


@dataclass(frozen=True)
class EfficiencyConfig:
    """Cost of KVSmooth and of recording, as ratios to plain sdpa generate."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--json cost.json",
        "--hidden 4096 --heads 32 --layers 4 --vocabulary 1000 --prefilled --arms plain_again,kvsmooth,kvsmooth_fast --no-memory",
        "--subject smollm2 --no-memory",
        "--image --no-memory --arms kvsmooth,pai,vcd,dola",
        "--prompt --json prompt.json",
        "--rounds 1 --new-tokens 8",
    )
    json: Path | None = None
    """results file; printed only when left out"""
    page: Path | None = None
    """a page that gets the table of arms between its marks <!-- costs --> and <!-- /costs -->"""
    subject: str = ""
    """a bundled subject (emoji, smollm2) on its first scene, in the place of the random Llama that the next options describe"""
    prompt_tokens: int = 600
    """length of the prompt"""
    new_tokens: int = 32
    """tokens generated a run"""
    rounds: int = 20
    """rounds, in each of which every arm runs once"""
    hidden: int = 768
    """width of the random Llama"""
    layers: int = 12
    """its decoder layers; of four or fewer all are smoothed, else the method's default band"""
    heads: int = 12
    """its query and key/value heads"""
    vocabulary: int = 16000
    """its vocabulary; 97 M parameters with the other defaults"""
    prefilled: bool = False
    """read the prompt once, before any clock runs, so that runs are of decoding alone: for stacks whose prompts take long; not with
    --subject, and not for the arms that record"""
    arms: tuple[str, ...] = ()
    """these arms alone beside plain, in one word with commas or in several; names of `kvsmooth.baselines.METHODS` among them"""
    image: bool = False
    """the random Llama reads an image of 576 tokens in its prompt, as LLaVA-1.5 does: most methods of others act on it"""
    threads: int = 1
    """torch threads"""
    level: float = 0.95
    """coverage of the intervals"""
    seed: int = 0
    """of the bootstrap"""
    prompt: bool = False
    """measure attention statistics of whole prompts instead, without maps and with them; the options of the model and of generation then
    count for nothing"""
    lengths: tuple[int, ...] = LENGTHS
    """tokens of the prompts, with `prompt`"""
    memory: bool = True
    """also start a process an arm and report its peak memory"""
    debug: bool = False
    """show the trace of an error"""

    def __post_init__(self):
        check_positive(self, "prompt_tokens", "rounds", "hidden", "layers", "heads", "vocabulary", "threads")
        check_level(self)
        if self.new_tokens < 2:
            raise BadInput(f"EfficiencyConfig.new_tokens must be at least 2, a prefill and a decoding step; got {self.new_tokens}.")
        if self.image and (self.subject or self.prompt_tokens <= IMAGE_TOKENS):
            raise BadInput(f"EfficiencyConfig.image is for the random Llama and a prompt of more than {IMAGE_TOKENS} tokens.")
        if self.named or self.prefilled:
            self._check_arms()

    def _check_arms(self) -> None:
        from analysis.efficiency.arms import arm, recorded  # only now: --help need not wait for torch
        from analysis.efficiency.rounds import chosen

        for name in self.named:
            try:
                arm(name)
            except BadInput as error:
                raise BadInput(f"EfficiencyConfig.arms: {error}") from error
        if self.prefilled and self.image:
            raise BadInput("EfficiencyConfig.prefilled is for a prompt of text; leave it out, or image.")
        if self.prefilled and (self.subject or any(map(recorded, chosen(self.named)))):
            raise BadInput("EfficiencyConfig.prefilled is for the random Llama, and for arms that do not record: name them with --arms.")

    @property
    def named(self) -> tuple[str, ...]:
        """The arms asked for."""
        return tuple(name for word in self.arms for name in word.split(",") if name)


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
    import torch
    from tqdm import tqdm

    from analysis.efficiency.arms import Case, read_before, recorded
    from analysis.efficiency.memory import peak_memory
    from analysis.efficiency.rounds import chosen, goals, rounds, summary
    from analysis.efficiency.shapes import build, smoothed_layers, twin

    names, quiet = chosen(config.named), not sys.stderr.isatty()
    if not config.subject:
        check_arms(replace(config, hidden=4 * config.heads), names)
    # first: the peak that the system tells of a process starts at that of the process which started it
    peaks = {name: peak_memory(name, config) for name in tqdm(names, desc="peak memory", disable=quiet)} if config.memory else {}
    torch.set_num_threads(config.threads)
    model, inputs = build(config)
    watched = twin(model) if any(map(recorded, names)) else model
    cache = read_before(model, inputs) if config.prefilled else None
    cases = {name: Case(watched if recorded(name) else model, inputs, config.new_tokens, cache) for name in names}
    with tqdm(total=config.rounds + 1, desc="rounds", disable=quiet) as progress:
        found = summary(rounds(cases, config.rounds, progress), config.level, config.seed)
    return {
        **found,
        "goals": goals(found["spread"]),
        "peak_extra_bytes": {name: peak - peaks["plain"] for name, peak in peaks.items()},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "prompt_tokens": inputs["input_ids"].shape[1],
        "smoothed_layers": smoothed_layers(model),
        # where the file lies is no part of how its numbers came about
        "provenance": provenance(replace(config, json=None, page=None)),
    }


def table(results: dict) -> str:
    """The results as aligned text."""
    from analysis.efficiency.rounds import lines

    what = f"{results['parameters'] / 1e6:.0f} M parameters, {results['prompt_tokens']} tokens of prompt, {results['n']} rounds"
    return "\n".join([f"{what}; time / time of plain sdpa generate in the same round, median [interval over rounds]", *lines(results)])


def markdown(results: dict) -> str:
    """The results as a table of a page: time of each arm as a ratio to plain decoding."""
    lines = ["| arm | whole call | decoding steps alone |", "|---|---|---|"]
    for name in results["ratios"]:
        found = [results["spread"][part]["processor"][name] for part in ("whole", "decode")]
        cells = " | ".join("{median:.2f} [{low:.2f}, {high:.2f}]".format(**one) for one in found)
        lines.append(f"| `{name}` | {cells} |")
    note = (
        f"Processor time / that of plain sdpa `generate` in the same round, median [interval over {results['n']} rounds]; "
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
