"""`Answering`: the options for generating answers; called in the worker's process, it loads the subject and returns the worker."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from analysis.answering.query import Completion, Query
from analysis.answering.sampling import Gumbel
from probes.command.cli import BadInput
from probes.command.strict_json import as_plain
from probes.command.values import check_temperature, whole
from probes.subjects import Item, Subject, load_subject
from probes.tracing.tokens import end_tokens, free_captions

# settings of a checkpoint that count for nothing here: the options say it, or they belong to another way of drawing
OVERRULED = {
    *("transformers_version", "max_new_tokens", "max_length", "do_sample", "num_beams", "temperature"),
    *("top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"),
}


@dataclass(frozen=True)
class Answering:
    """A subject, a method, and how tokens are chosen; picklable, an engine's maker.

    Everything that the checkpoint's own generation settings say besides sampling holds, such as a repetition penalty; it is in `describe`
    of the worker.

    Parameters
    ----------
    subject : "emoji", a folder, a hub id, or a hub id with its revision (`name@revision`)
    device : "cpu", "cuda", "cuda:<n>" or "auto" (over all devices)
    dtype : "float32", "bfloat16" or "float16"
    method : a `KVSmooth`, or another that yields a run with `report()`; None is the baseline
    max_new_tokens : bound, at least 1
    sample : draw from softmax(logits / temperature) with a stream of random numbers for each item; False takes the likeliest token
    temperature : of sampling, above 0
    seed : of sampling
    """

    subject: str = "emoji"
    device: str = "cpu"
    dtype: str = "float32"
    method: Any = None
    max_new_tokens: int = 512
    sample: bool = False
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "max_new_tokens", whole(self.max_new_tokens, "Answering.max_new_tokens", least=1))
        object.__setattr__(self, "seed", whole(self.seed, "Answering.seed"))
        check_temperature(self.temperature, "Answering.temperature")
        if self.method is not None and (isinstance(self.method, type) or not callable(self.method)):
            raise BadInput(f"Answering.method must be None or a method, such as KVSmooth(); got {self.method!r}.")

    def __call__(self) -> "Answerer":
        """Load the subject.

        Raises
        ------
        BadInput : it cannot be loaded, or not placed
        """
        return Answerer(self, load_subject(self.subject, self.device, self.dtype))


class Answerer:
    """A loaded subject that answers batches.

    Parameters
    ----------
    answering : the options
    subject : loaded
    """

    def __init__(self, answering: Answering, subject: Subject):
        self.answering, self.subject = answering, subject

    def __call__(self, queries: Sequence[Query]) -> list[Completion]:
        """What the subject says to each query, padded on the left to one batch.

        Raises
        ------
        BadInput : an image cannot be read, or the subject does not take a prompt; nothing of the batch is answered then
        kvsmooth.Unsupported : the method does not serve this subject
        """
        begun = time.perf_counter()
        subject, asked = self.subject, self.answering
        inputs = subject.encode([Item(query.image_id, query.image, query.prompt) for query in queries])
        choice = {"do_sample": False, "num_beams": 1, "max_new_tokens": asked.max_new_tokens, **asked_by(asked.method)}
        if asked.sample and choice["num_beams"] > 1:
            raise BadInput(f"--sample draws tokens and {asked.method.name} searches with beams; leave one of them out.")
        if asked.sample:
            choice["logits_processor"] = [Gumbel(asked.temperature, asked.seed, [query.key for query in queries])]
        method = nullcontext() if asked.method is None else asked.method(subject.model)
        with torch.inference_mode(), method as run:
            rows = free_captions(subject.model, inputs, end_tokens(subject.speaker), **choice)
        report = None if run is None else run.report()
        texts = [subject.text(row) for row in rows]
        seconds = (time.perf_counter() - begun) / len(queries)
        return [Completion(text, len(row), seconds, report) for text, row in zip(texts, rows, strict=True)]

    def step(self, query: Query, method: Any) -> None:
        """One query by a method, up to and with the first decoding step: whatever stands against it is raised here.

        Parameters
        ----------
        method : as `Answering.method`; that of the options counts for nothing here
        """
        inputs = self.subject.encode([Item(query.image_id, query.image, query.prompt)])
        with torch.inference_mode(), nullcontext() if method is None else method(self.subject.model):
            # at least two tokens: the first comes from the prompt, which nothing smooths
            choice = {"do_sample": False, "num_beams": 1, "min_new_tokens": 2, "max_new_tokens": 2, "disable_compile": True}
            self.subject.model.generate(**inputs, **choice | asked_by(method))

    def describe(self) -> dict[str, Any]:
        """What decided the answers besides the queries, as JSON-able data: options, the model's revision, the checkpoint's settings."""
        kept = self.subject.speaker.generation_config.to_diff_dict()
        kept = {name: value for name, value in kept.items() if name not in OVERRULED}
        return {**as_plain(self.answering), "revision": self.subject.revision, "generation_config": as_plain(kept)}


def asked_by(method: Any) -> dict[str, Any]:
    """Options of `generate` without which a method does not work, as the beams of a search; most ask for none."""
    return dict(getattr(method, "generation", {}))
