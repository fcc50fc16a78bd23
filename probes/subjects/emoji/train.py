"""`python -m probes.subjects.emoji.train --out DIR --minutes 75 --seed 0`: trains the bundled subject.

Three stages by time or steps: patches are aligned with the words of the objects they show; then short lists of objects; then long
captions with a list now and then. The alignment stays as an auxiliary loss. A run that was killed goes on from its last checkpoint.
"""

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from probes.command.files import atomic_write
from probes.command.strict_json import json_text
from probes.subjects.emoji.attention import DROPOUT, register
from probes.subjects.emoji.captions import BRIEF_PROMPT, PROMPT, brief, describe
from probes.subjects.emoji.model import EOS, IMAGE, PAD, PATCH, build, prompt_text
from probes.subjects.emoji.patches import largest
from probes.subjects.emoji.products import shorten
from probes.subjects.emoji.scenes import SIZE, Scene, scene
from probes.subjects.emoji.validation import validate
from probes.subjects.emoji.vocabulary import BY_NAME
from probes.subjects.gradients import average, first_clock


@dataclass(frozen=True)
class EmojiTrainConfig:
    """Trains the bundled subject; a run that was killed goes on from its last checkpoint.

    Parameters
    ----------
    out
        Folder for the checkpoint, the log, and the finished weights; a checkpoint that lies there is taken up again.
    minutes
        Training time, over all restarts; not asked where there is a horizon.
    horizon
        Steps of the whole run, by which stages and rate go, so that they do not depend on the machine's speed (0: by minutes).
    seed
        Of the weights and of the dropout; the scenes are always the same.
    processes
        Processes of one thread each that share a step.
    batch
        Captions a step, over all processes.
    rate
        Highest learning rate; it falls along a cosine to a twentieth.
    align_until
        Share of the time, or of the horizon, at which the first stage, the alignment, ends.
    brief_until
        Share of the time at which the second stage, the short lists, ends.
    align_weight
        Weight of the alignment in the brief stage; a third of it in the long stage.
    brief_every
        In the long stage, every n-th step is a brief one.
    background_weight
        Weight of patches without an object in the alignment.
    checkpoint_minutes
        How often the run is saved.
    validate_minutes
        How often greedy captions of unseen scenes are scored.
    validate_scenes
        How many scenes are scored.
    steps
        Stop after so many steps in all, to go on later (0: at the end).
    debug
        Show traces of errors.
    """

    EXAMPLES: ClassVar[tuple[str, ...]] = ("--out checkpoints/mine --minutes 10",)
    RESUMES: ClassVar[bool] = True
    out: Path
    minutes: float = 75.0
    horizon: int = 0
    seed: int = 0
    processes: int = 2
    batch: int = 24
    rate: float = 1e-3
    align_until: float = 0.05
    brief_until: float = 0.25
    align_weight: float = 0.3
    brief_every: int = 6
    background_weight: float = 0.15
    checkpoint_minutes: float = 3.0
    validate_minutes: float = 10.0
    validate_scenes: int = 60
    steps: int = 0
    debug: bool = False

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise ValueError(f"EmojiTrainConfig.minutes must be positive; got {self.minutes}.")
        if self.horizon < 0:
            raise ValueError(f"EmojiTrainConfig.horizon must be 0 or more; got {self.horizon}.")
        if self.processes < 1 or self.batch % self.processes:
            raise ValueError(f"EmojiTrainConfig.batch must be a multiple of processes; got {self.batch} and {self.processes}.")
        if not 0 <= self.align_until <= self.brief_until <= 1:
            raise ValueError(
                f"EmojiTrainConfig.align_until must not exceed brief_until, both in [0, 1]; got {self.align_until}, {self.brief_until}."
            )

    def progress(self, step: int, minutes: float) -> float:
        """The share of the training that lies behind after so many steps and minutes, in [0, 1]."""
        return min(step / self.horizon if self.horizon else minutes / self.minutes, 1.0)

    def stage(self, progress: float, step: int) -> str:
        """The stage of a step, from the share of the training that lies behind."""
        if progress < self.align_until:
            return "align"
        return "brief" if progress < self.brief_until or step % self.brief_every == 0 else "long"


def patch_words(drawn: Scene, words: dict[str, int]) -> np.ndarray:
    """The word of the object that fills most of each patch (at least a sixth of it), -1 where there is none; int64 (64,)."""
    # -1, no object, takes the last entry
    return np.array([*(words[item.category] for item in drawn.objects), -1])[largest(drawn, SIZE // PATCH, 1 / 6)]


class Batches:
    """Turns scene numbers into tensors: pixels, caption tokens, and the word that each patch shows."""

    def __init__(self, processor) -> None:
        self.tokenizer = processor.tokenizer
        heads = {name: category.noun.split()[-1 if " of " in category.noun else 0] for name, category in BY_NAME.items()}
        self.heads = {name: self.tokenizer(head)["input_ids"][-1] for name, head in heads.items()}
        self.prompts = {}
        for stage, text in (("long", PROMPT), ("brief", BRIEF_PROMPT)):
            ids = self.tokenizer(prompt_text(text))["input_ids"]
            where = ids.index(IMAGE)
            self.prompts[stage] = torch.tensor(ids[:where]), torch.tensor(ids[where + 1 :])

    def pixels(self, drawn: list[Scene]) -> Float[Tensor, "row 3 size size"]:
        """The images as the processor would give them: in [-1, 1]."""
        stacked = np.stack([np.asarray(item.image) for item in drawn])
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1

    def captions(self, drawn: list[Scene], stage: str) -> Int[Tensor, "row token"]:
        """The captions with EOS, padded on the right."""
        texts = [(describe if stage == "long" else brief)(item) for item in drawn]
        ids = [[*row[1:], EOS] for row in self.tokenizer(texts)["input_ids"]]
        longest = max(map(len, ids))
        return torch.tensor([row + [PAD] * (longest - len(row)) for row in ids])

    def patches(self, drawn: list[Scene]) -> Int[Tensor, "row patch"]:
        """The token that each patch shows, -1 for background."""
        return torch.from_numpy(np.stack([patch_words(item, self.heads) for item in drawn]).astype(np.int64))


def losses(
    model: LlavaForConditionalGeneration, batches: Batches, drawn: list[Scene], stage: str, config: EmojiTrainConfig
) -> dict[str, Tensor]:
    """The caption's and the alignment's mean cross-entropy in nat (the caption's is absent in the first stage)."""
    core = model.model
    table: Any = model.get_input_embeddings()
    seen = core.vision_tower(batches.pixels(drawn)).last_hidden_state[:, 1:]
    seen = core.multi_modal_projector(seen)
    shown = batches.patches(drawn)
    weights = torch.where(shown < 0, config.background_weight, 1.0)
    scores = nn.functional.linear(seen, table.weight)
    alignment = nn.functional.cross_entropy(scores.flatten(0, 1), shown.clamp(min=PAD).flatten(), reduction="none")
    found = {"align": (alignment * weights.flatten()).sum() / weights.sum()}
    found["patches"] = (scores.argmax(-1) == shown)[shown >= 0].float().mean()
    if stage == "align":
        return found
    before, after = batches.prompts[stage]
    words = batches.captions(drawn, stage)
    rows = len(drawn)
    embedded = torch.cat([table(before).expand(rows, -1, -1), seen, table(after).expand(rows, -1, -1), table(words[:, :-1])], 1)
    hidden = core.language_model(inputs_embeds=embedded, use_cache=False).last_hidden_state[:, -words.shape[1] :]
    found[stage] = nn.functional.cross_entropy(model.lm_head(hidden).flatten(0, 1), words.flatten(), ignore_index=PAD)
    return found


class EmojiTraining:
    """One training run: model, optimiser, and how far it has come; saved and taken up again as a whole."""

    def __init__(self, config: EmojiTrainConfig, rank: int) -> None:
        self.config, self.rank = config, rank
        self.model, self.processor = build(config.seed)
        self.model.set_attn_implementation(register())
        DROPOUT.clear()
        shorten(self.model.model.language_model)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.98), fused=True)
        self.batches = Batches(self.processor)
        self.step, self.seen, self.minutes = 0, 0, 0.0
        self.path = config.out / "checkpoint.pt"
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seen, self.minutes = state["step"], state["seen"], state["minutes"]

    def advance(self) -> dict[str, float | str]:
        """One step; all processes leave it with the same weights and the same clock."""
        config, start = self.config, time.perf_counter()
        progress = config.progress(self.step, self.minutes)
        stage = config.stage(progress, self.step)
        size = config.batch * (2 if stage == "align" else 1)
        own = range(self.seen + self.rank, self.seen + size, config.processes)
        torch.manual_seed(config.seed * 7919 + self.step * config.processes + self.rank)  # dropout alone draws from it
        self.model.train()
        found = losses(self.model, self.batches, [scene(i, "train") for i in own], stage, config)
        weight = {"align": 1.0, "brief": config.align_weight, "long": config.align_weight / 3}[stage]
        total = found["align"] * weight + (found[stage] if stage != "align" else 0.0)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        average(list(self.model.parameters()), config.processes)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate * min(1.0, (self.step + 1) / 100) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))
        self.optimizer.step()
        self.step, self.seen = self.step + 1, self.seen + size
        self.minutes += first_clock((time.perf_counter() - start) / 60, self.rank, config.processes)
        return {"stage": stage, **{name: float(value.detach()) for name, value in found.items()}}

    def save(self) -> None:
        """Writes the checkpoint and the loadable weights; each file appears whole or not at all."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        with atomic_write(self.path) as part:
            torch.save({**state, "step": self.step, "seen": self.seen, "minutes": self.minutes}, part)
        weights, parts = self.config.out / "weights", self.config.out / "weights.part"
        weights.mkdir(exist_ok=True)
        self.model.save_pretrained(parts)
        self.processor.save_pretrained(parts)
        for part in parts.iterdir():
            os.replace(part, weights / part.name)

    def log(self, line: dict) -> None:
        """Appends a line to the log."""
        with open(self.config.out / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, "minutes": round(self.minutes, 3), "seen": self.seen, **line}) + "\n")


def work(rank: int, config: EmojiTrainConfig) -> None:
    """What one process does: steps until the training has ended; the first one also saves, logs and validates."""
    torch.set_num_threads(1)
    if config.processes > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{(config.out / 'rendezvous').resolve()}", rank=rank, world_size=config.processes
        )
    run = EmojiTraining(config, rank)
    saved, validated = run.minutes, run.minutes
    while config.progress(run.step, run.minutes) < 1 and (config.steps == 0 or run.step < config.steps):
        line = run.advance()
        if rank != 0:
            continue
        if run.step % 10 == 0:
            run.log(line)
        if run.minutes - saved >= config.checkpoint_minutes:
            run.save()
            saved = run.minutes
        if run.minutes - validated >= config.validate_minutes:
            validated = run.minutes
            run.log(validate(run.model, run.processor, config.validate_scenes))
    if rank == 0:
        run.save()
        run.log(validate(run.model, run.processor, config.validate_scenes))
    if config.processes > 1:
        dist.barrier()
        dist.destroy_process_group()


def main(config: EmojiTrainConfig) -> None:
    """Trains in as many processes as the configuration says."""
    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "rendezvous").unlink(missing_ok=True)
    (config.out / "config.json").write_text(json_text(config, indent=1), encoding="utf-8")
    if config.processes == 1:
        work(0, config)
    else:
        torch.multiprocessing.start_processes(work, args=(config,), nprocs=config.processes, start_method="spawn")


if __name__ == "__main__":
    from probes.command.cli import run_cli

    run_cli(EmojiTrainConfig, main)
