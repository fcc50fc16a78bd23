"""`python -m analysis.efficiency.batch`: what a batch of captions costs, by `generate`, with rows that leave, a shared prompt, or recorded.

`python -m analysis.efficiency.batch --subject smollm2 --json OUT` lets every arm describe the same scenes, without smoothing and with it,
round after round in an order that rotates, and says captions a minute of the processor, the ratio to `generate` in the same round, and
whether all said the same tokens.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from tqdm import tqdm

from kvsmooth import KVSmooth
from probes.command.cli import BadInput, quiet, run_cli
from probes.command.files import write_bytes
from probes.command.provenance import provenance
from probes.command.strict_json import json_text
from probes.command.terminal import say
from probes.greedy import Prefill, greedy, prefill, understood
from probes.options import check_positive, check_rates
from probes.regimes import record_inputs
from probes.subjects import Item, Subject, load_subject
from probes.subjects.bundled import own_scenes
from probes.subjects.emoji.captions import PROMPT

METHODS = ("baseline", "kvsmooth")


@dataclass(frozen=True)
class BatchCostConfig:
    """Captions a minute of one batch, one thread: as `generate` decodes it, and as the ablation does."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("--json cost.json", "--subject smollm2 --arms generate,leaving", "--images 20 --rounds 1")
    json: Path | None = None
    """results file; printed only when left out"""
    subject: str = "emoji"
    """a bundled subject: emoji or smollm2"""
    images: int = 32
    """scenes in the batch"""
    max_new_tokens: int = 160
    """tokens a caption may have"""
    rounds: int = 3
    """rounds; the medians are taken over them"""
    arms: tuple[str, ...] = ()
    """these arms alone beside generate, in one word with commas or in several: leaving, shared, recording"""
    lambda_ref: float = 0.7
    """of the smoothed arms"""
    debug: bool = False
    """show the trace of an error"""

    def __post_init__(self):
        check_positive(self, "images", "max_new_tokens", "rounds")
        check_rates(self, "lambda_ref")
        if unknown := [name for name in self.named if name not in ARMS]:
            raise BadInput(f"BatchCostConfig.arms must be of {', '.join(ARMS)}; got {unknown[0]!r}.")

    @property
    def named(self) -> tuple[str, ...]:
        """The arms asked for; all where none is."""
        return tuple(name for word in self.arms for name in word.split(",") if name) or tuple(ARMS)


@dataclass(frozen=True)
class ReadBatch:
    """A batch, ready to be described, and its prompt as it was read before."""

    subject: Subject
    inputs: Mapping[str, Any]
    longest: int
    start: Prefill


def by_generate(batch: ReadBatch, method: KVSmooth | None) -> torch.Tensor:
    """All rows to the end of the longest."""
    with _smoothed(batch, method):
        said = batch.subject.model.generate(**batch.inputs, do_sample=False, num_beams=1, max_new_tokens=batch.longest)
    return said[:, batch.inputs["input_ids"].shape[1] :]


def leaving(batch: ReadBatch, method: KVSmooth | None) -> torch.Tensor:
    """Rows leave when they have ended."""
    with _smoothed(batch, method):
        return greedy(batch.subject.model, batch.inputs, batch.longest)


def shared(batch: ReadBatch, method: KVSmooth | None) -> torch.Tensor:
    """The same from a prompt that was read before, as cells after the first do."""
    with _smoothed(batch, method):
        return greedy(batch.subject.model, batch.inputs, batch.longest, batch.start)


def recording(batch: ReadBatch, method: KVSmooth | None) -> torch.Tensor:
    """With the default recorders."""
    tokens = record_inputs(batch.subject.tracing, batch.inputs, method, max_new_tokens=batch.longest).tokens
    padding = batch.subject.model.generation_config.pad_token_id
    return tokens.masked_fill(tokens < 0, padding)


ARMS: dict[str, Callable[[ReadBatch, KVSmooth | None], torch.Tensor]] = {
    "generate": by_generate,
    "leaving": leaving,
    "shared": shared,
    "recording": recording,  # last: it leaves nnsight's controllers on the model
}


def measure(config: BatchCostConfig) -> dict[str, Any]:
    """Every arm, round after round; the content of the results file."""
    torch.set_num_threads(1)
    subject = load_subject(config.subject)
    inputs = subject.encode([Item(scene.image_id, scene.image, PROMPT) for scene in own_scenes(config.subject, config.images)])
    if not understood(subject.model, inputs):
        raise BadInput(f"--subject {config.subject}: its batches are decoded by generate alone; there is nothing to compare.")
    batch = ReadBatch(subject, inputs, config.max_new_tokens, prefill(subject.model, inputs))
    methods = {"baseline": None, "kvsmooth": KVSmooth(lambda_ref=config.lambda_ref, exact=False)}
    arms = [name for name in ARMS if name == "generate" or name in config.named]
    runs = [(arm, name) for arm in arms for name in METHODS]
    watched = [run for run in runs if run[0] == "recording"]
    seconds: dict[tuple[str, str], list[float]] = {run: [] for run in runs}
    said: dict[tuple[str, str], torch.Tensor] = {}
    with tqdm(total=config.rounds * len(runs), desc="runs", disable=not sys.stderr.isatty()) as progress:
        for part in ([run for run in runs if run not in watched], watched):  # plain ones before any controller is on the model
            for index in range(config.rounds if part else 0):
                for arm, name in part[index % len(part) :] + part[: index % len(part)]:
                    begun = time.process_time()
                    with torch.no_grad():
                        said[arm, name] = ARMS[arm](batch, methods[name])
                    seconds[arm, name].append(time.process_time() - begun)
                    progress.update()
    return {**told(seconds, said, config.images), "provenance": provenance({k: v for k, v in asdict(config).items() if k != "json"})}


def told(seconds: Mapping[tuple[str, str], Sequence[float]], said: Mapping[tuple[str, str], torch.Tensor], images: int) -> dict[str, Any]:
    """Captions a minute, ratios to `generate` of the same round, and whether all arms of a method said the same."""
    rows = {}
    for (arm, name), spent in seconds.items():
        plain = seconds["generate", name]
        rows[f"{arm}/{name}"] = {
            "captions_per_minute": 60 * images / statistics.median(spent),
            "ratio": statistics.median(mine / its for mine, its in zip(spent, plain, strict=True)),
            "seconds": list(spent),
            "same_tokens": torch.equal(said[arm, name], said["generate", name]),
            "steps": said[arm, name].shape[1],
        }
    return {"arms": rows, "images": images, "n": len(next(iter(seconds.values())))}


def lines(found: Mapping[str, Any]) -> list[str]:
    """What a person reads."""
    size = f"{found['images']} scenes in a batch, one thread, {found['n']} rounds"
    head = [f"{size}; captions a minute of the processor, time / that of generate"]
    for name, row in found["arms"].items():
        same = "the same tokens" if row["same_tokens"] else "other tokens"
        head.append(f"{name:<22}{row['captions_per_minute']:>8.0f}{row['ratio']:>8.2f}  {row['steps']} steps, {same}")
    return head


def perform(config: BatchCostConfig) -> None:
    """Measure, print, and write the file if one is asked for."""
    quiet()
    if config.json is not None:
        from analysis.score.results import must_be_writable  # only now: --help need not wait for the metrics

        must_be_writable(config.json)
    found = measure(config)
    for line in lines(found):
        say(line)
    if config.json is not None:
        write_bytes(config.json, (json_text(found, indent=1) + "\n").encode())


def _smoothed(batch: ReadBatch, method: KVSmooth | None) -> Any:
    return nullcontext() if method is None else method(batch.subject.model)


if __name__ == "__main__":
    run_cli(BatchCostConfig, perform)
