"""Runs one cell: captions of all images, and a record of the smoothing that each received."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from analysis.cells.cells import Cell
from analysis.cells.classes import token_classes
from analysis.cells.decoding import Decoding
from analysis.cells.names import RECEIPTS
from kvsmooth.policies import FirstPass
from probes.subjects import Item, Subject, load_subject
from probes.subjects.bundled import own_scenes
from probes.tracing.tokens import end_tokens, lengths


@dataclass(frozen=True)
class CellsJob:
    """What all cells of a run share.

    Parameters
    ----------
    subject, images, prompt : who describes how many images, asked for by what
    batch_size : images decoded together; two-pass policies exchange rates within such a batch
    max_new_tokens : longest caption, tokens
    base : options of `KVSmooth` that hold where a cell does not say otherwise
    items : images of one's own; None: the bundled subject's scenes, which every process draws for itself
    """

    subject: str
    images: int
    prompt: str
    batch_size: int
    max_new_tokens: int
    base: Mapping[str, Any]
    device: str = "cpu"
    dtype: str = "float32"
    items: tuple[Item, ...] | None = None

    @property
    def shown(self) -> tuple[Item, ...]:
        """The images: those of one's own, or the first scenes of the bundled subject."""
        if self.items is not None:
            return self.items
        return tuple(Item(scene.image_id, scene.image, self.prompt) for scene in own_scenes(self.subject, self.images))


@dataclass(frozen=True)
class AppliedRates:
    """What a run applied in one batch: the data of a first pass, for policies that need it."""

    rates: Float[Tensor, "step layer row"]
    steps: Int[Tensor, " row"]
    tokens: Int[Tensor, "step row"]

    def data(self, classes: Int[Tensor, " token"]) -> dict[str, Any]:
        """As the fields of two-pass policies are called."""
        return {"first": FirstPass(self.rates, self.steps), "tokens": self.tokens, "classes": classes}


class Bench:
    """A subject with its encoded images, on which one cell after the other is run."""

    def __init__(self, job: CellsJob, subject: Subject | None = None):
        self.job = job
        self.subject = subject or load_subject(job.subject, job.device, job.dtype)
        items = job.shown
        batches = [self.subject.encode(items[i : i + job.batch_size]) for i in range(0, len(items), job.batch_size)]
        self.decoding = Decoding(self.subject.model, batches, job.max_new_tokens)

    @cached_property
    def classes(self) -> Int[Tensor, " token"]:
        """A class for every token of the vocabulary."""
        return token_classes(self.subject.tokenizer)

    def run(self, cell: Cell, first: Sequence[AppliedRates] | None = None) -> tuple[dict[str, Any], list[AppliedRates]]:
        """Caption all images under the cell.

        Returns
        -------
        result : JSON-able: `captions`, `ended` (by an end token, not by the bound), `tokens` and `steps` by image, the receipts' means over
            each image's own steps and layers, `seconds` of the clock and `cpu_seconds` of this process
        applied : by batch, what a second pass needs; empty for the baseline
        """
        begun, worked, texts, applied = time.perf_counter(), time.process_time(), [], []
        columns: dict[str, list] = {name: [] for name in ("ended", "tokens", "steps", *RECEIPTS)}
        for number in range(len(self.decoding.batches)):
            method = cell.method(self.job.base, None if first is None else first[number].data(self.classes))
            tokens, run = self.decoding.run(number, method)
            ends = end_tokens(self.subject.model)
            counts = lengths(tokens, ends)
            # the first token comes from the prompt, whose pass nothing smooths: a row of n tokens has n - 1 decode steps of its own
            steps = counts - 1
            texts += [self.subject.text(row[:n].tolist()) for row, n in zip(tokens, counts, strict=True)]
            columns["ended"] += torch.isin(tokens, torch.tensor(ends)).any(1).tolist()
            columns["tokens"] += counts.tolist()
            columns["steps"] += steps.tolist()
            for name, values in receipts(run, steps).items():
                columns[name] += values
            if run is not None:
                applied.append(AppliedRates(run.rates, steps, tokens.T[: len(run.rates)].contiguous()))
        spent = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - worked}
        return {"captions": texts, **columns, **spent}, applied


def receipts(run: Any, steps: Int[Tensor, " row"]) -> dict[str, list[float]]:
    """Means over a row's own steps and over layers: rate, shares of rates on floor and ceiling, relative changes; zeros without a run."""
    if run is None:
        return {name: [0.0] * len(steps) for name in RECEIPTS}
    (floor, ceiling), rates = run.bounds, run.rates
    parts = {
        "rate": rates,
        "floor": (rates <= floor + 1e-6).float(),
        "ceiling": (rates >= ceiling - 1e-6).float(),
        "change_keys": run.change_keys,
        "change_values": run.change_values,
    }
    own = torch.arange(len(rates))[:, None] < steps  # a row that has ended still decodes padding until its batch ends
    count = np.maximum(own.sum(0).numpy(), 1)
    return {name: ((values.mean(1).double() * own).sum(0).numpy() / count).tolist() for name, values in parts.items()}
