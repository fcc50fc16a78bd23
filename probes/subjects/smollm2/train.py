"""`python -m probes.subjects.smollm2.train --out DIR`: trains the subject round SmolLM2; goes on from its last checkpoint.

First the tower and projector are aligned with the frozen words of the language model (`align`). Then adapters on the decoder learn to
write captions, one pass over the scenes, the projector and tower with them at lower rates; the loss is that of the caption's tokens
under the whole vocabulary. The horizon is a number of scenes, so that a slower machine trains the same subject.
"""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
import torch.distributed as dist
from torch import nn

from probes.command.cli import run_cli
from probes.command.files import atomic_write
from probes.command.strict_json import json_text
from probes.subjects.emoji.scenes import scene, scenes
from probes.subjects.gradients import average
from probes.subjects.smollm2.align import AlignConfig, align
from probes.subjects.smollm2.base import base_tokenizer, base_weights
from probes.subjects.smollm2.delta import load_delta, save_delta
from probes.subjects.smollm2.model import SIZE
from probes.subjects.smollm2.tower import Sight, word_vectors
from probes.subjects.smollm2.trainable import TrainableParts
from probes.subjects.smollm2.validation import score

AMX = torch.cpu._is_amx_tile_supported()
HELD = 24


@dataclass(frozen=True)
class SmolLM2TrainConfig:
    """Trains the subject round SmolLM2; a run that was killed goes on from its last checkpoint.

    Parameters
    ----------
    out
        Folder for checkpoint, log and deltas; a checkpoint that lies there is taken up again.
    horizon
        Scenes in all; the learning rate falls to a twentieth over them.
    align_steps
        Steps of the first stage, of 48 scenes each.
    points
        Numbers of scenes after which a delta is kept, beside the last one.
    processes
        Processes of one thread each that share a step.
    batch
        Captions a step, over all processes.
    rate
        Highest learning rate of the adapters.
    projector_rate
        That of the projector, as a share of `rate`; from half of the horizon on.
    tower_rate
        That of the tower, as a share of `rate`; from half of the horizon on.
    align_weight
        Weight of the alignment beside the captions' loss.
    seed
        Of the adapters and of the first stage; the scenes are always the same.
    bfloat16
        Compute in bfloat16 where the processor has units for it; weights that are trained stay float32.
    checkpoint_minutes
        How often the run is saved.
    validate_minutes
        How often held-out loss and greedy captions of unseen scenes are scored.
    start
        A delta to start the second stage from when there is no checkpoint, with the scenes that it has seen; the optimizer starts anew.
    steps
        Stop after so many steps of the second stage in all (0: at the horizon).
    debug
        Show traces of errors.
    """

    RESUMES: ClassVar[bool] = True
    out: Path
    horizon: int = 5000
    align_steps: int = 1200
    points: tuple[int, ...] = (500, 2000)
    processes: int = 1
    batch: int = 4
    rate: float = 1e-3
    projector_rate: float = 0.3
    tower_rate: float = 0.1
    align_weight: float = 0.1
    seed: int = 0
    bfloat16: bool = AMX
    checkpoint_minutes: float = 5.0
    validate_minutes: float = 25.0
    start: Path | None = None
    steps: int = 0
    debug: bool = False

    def __post_init__(self) -> None:
        if self.processes < 1 or self.batch % self.processes:
            raise ValueError(f"SmolLM2TrainConfig.batch must be a multiple of processes; got {self.batch} and {self.processes}.")
        if self.horizon < self.batch:
            raise ValueError(f"SmolLM2TrainConfig.horizon must hold a step of {self.batch} scenes at least; got {self.horizon}.")


class SmolLM2Training:
    """One training run: what is trained, the optimizer, and how far it has come; saved and taken up again as a whole."""

    def __init__(self, config: SmolLM2TrainConfig, rank: int) -> None:
        self.config, self.rank = config, rank
        self.path = config.out / "checkpoint.pt"
        state = torch.load(self.path, weights_only=True) if self.path.exists() else None
        started = load_delta(config.start) if state is None and config.start else None
        sight = Sight(SIZE) if state or started else self._aligned()
        torch.manual_seed(config.seed)
        self.trained = TrainableParts(sight, config.bfloat16)
        self.optimizer = torch.optim.AdamW(
            self.trained.groups(config.rate, config.projector_rate, config.tower_rate), lr=config.rate, betas=(0.9, 0.98)
        )
        self.step, self.seen, self.minutes, self.begun = 0, 0, 0.0, 0
        if state:
            self.trained.load_parts(state["parts"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seen, self.minutes, self.begun = state["step"], state["seen"], state["minutes"], state["begun"]
        elif started:
            self.trained.load_parts(started[0])
            self.step, self.seen = int(started[1]["step"]), int(started[1]["scenes"])
            self.begun = self.step

    def _aligned(self) -> Sight:
        """The image side after the first stage, which runs once; all processes make the same one."""
        path = self.config.out / "aligned.pt"
        sight = Sight(SIZE)
        if not path.exists():
            table = base_weights()["embed_tokens.weight"]
            options = AlignConfig(SIZE, self.config.align_steps, seed=self.config.seed)
            sight = align(word_vectors(table, base_tokenizer()), options, self.log if self.rank == 0 else lambda line: None)
            if self.rank == 0:
                with atomic_write(path) as part:
                    torch.save(sight.state_dict(), part)
        else:
            sight.load_state_dict(torch.load(path, weights_only=True))
        return sight

    def advance(self) -> dict[str, float]:
        """One step; all processes leave it with the same weights."""
        config, start = self.config, time.perf_counter()
        progress = min(self.seen / config.horizon, 1.0)
        look = progress >= 0.5
        own = range(self.seen + self.rank, self.seen + config.batch, config.processes)
        found = self.trained.losses([scene(i, "train", SIZE) for i in own], look)
        self.optimizer.zero_grad(set_to_none=True)
        (found["caption"] + (config.align_weight * found["align"] if look else 0.0)).backward()
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        average(held, config.processes)
        norm = nn.utils.clip_grad_norm_(held, 1.0)
        warm, fall = min(1.0, (self.step - self.begun + 1) / 50), 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress))
        for group in self.optimizer.param_groups:
            group["lr"] = group["top"] * warm * fall * (1.0 if not group["late"] or look else 0.0)
        self.optimizer.step()
        self.step, self.seen = self.step + 1, self.seen + config.batch
        took = time.perf_counter() - start
        self.minutes += took / 60
        return {
            **{name: round(float(value.detach()), 4) for name, value in found.items()},
            "norm": round(float(norm), 3),
            "seconds": round(took, 2),
        }

    def save(self) -> None:
        """Writes the checkpoint and the latest delta; each file appears whole or not at all."""
        state = {"parts": self.trained.parts(), "optimizer": self.optimizer.state_dict()}
        with atomic_write(self.path) as part:
            torch.save({**state, "step": self.step, "seen": self.seen, "minutes": self.minutes, "begun": self.begun}, part)
        self.keep("latest")

    def keep(self, name: str) -> None:
        """Writes a delta."""
        said = {
            "step": self.step,
            "scenes": self.seen,
            "horizon": self.config.horizon,
            "minutes": round(self.minutes, 1),
            "seed": self.config.seed,
        }
        save_delta(self.config.out / f"{name}.safetensors", self.trained.parts(), {key: str(value) for key, value in said.items()})

    @torch.no_grad()
    def validate(self) -> dict:
        """Held-out loss of unseen scenes, and what their greedy captions name."""
        drawn = scenes(HELD, "validation", SIZE)
        losses = {f"held_{name}": round(float(value), 4) for name, value in self.trained.losses(drawn, False).items()}
        texts = self.trained.write(drawn)
        return {**losses, "validation": score(drawn, texts), "captions": texts[:3]}

    def log(self, line: dict) -> None:
        """Appends a line to the log."""
        at = {"step": self.step, "scenes": self.seen, "minutes": round(self.minutes, 2)} if hasattr(self, "step") else {}
        with open(self.config.out / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({**at, **line}) + "\n")


def work(rank: int, config: SmolLM2TrainConfig) -> None:
    """What one process does: steps until the horizon; the first one also saves, logs and validates."""
    torch.set_num_threads(1)
    if config.processes > 1:
        place = f"file://{(config.out / 'rendezvous').resolve()}"
        dist.init_process_group("gloo", init_method=place, rank=rank, world_size=config.processes)
    run = SmolLM2Training(config, rank)
    saved = validated = run.minutes
    while run.seen < config.horizon and (config.steps == 0 or run.step < config.steps):
        line = run.advance()
        if rank != 0:
            continue
        if run.step % 10 == 0:
            run.log(line)
        for point in config.points:
            if run.seen - config.batch < point <= run.seen:
                run.keep(f"scenes{point}")
        if run.minutes - saved >= config.checkpoint_minutes:
            run.save()
            saved = run.minutes
        if run.minutes - validated >= config.validate_minutes:
            validated = run.minutes
            run.log(run.validate())
    if rank == 0:
        run.save()
        run.log(run.validate())
    if config.processes > 1:
        dist.barrier()
        dist.destroy_process_group()


def main(config: SmolLM2TrainConfig) -> None:
    """Trains in as many processes as the configuration says."""
    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "rendezvous").unlink(missing_ok=True)
    (config.out / "config.json").write_text(json_text(config, indent=1), encoding="utf-8")
    if config.processes == 1:
        work(0, config)
    else:
        torch.multiprocessing.start_processes(work, args=(config,), nprocs=config.processes, start_method="spawn")


if __name__ == "__main__":
    run_cli(SmolLM2TrainConfig, main)
