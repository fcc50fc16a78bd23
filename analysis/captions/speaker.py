"""What a subject says of some images under one method; each finished arm is a file of the store, and is not asked for again."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.captions.two_pass import ShuffledRates
from analysis.captions.version import code_of, code_version
from kvsmooth.errors import NothingSmoothed, Unsupported
from probes.command.cli import BadInput, one_line
from probes.command.files import write_bytes
from probes.command.provenance import digest, versions
from probes.command.strict_json import as_json, json_text
from probes.subjects import Item, Subject
from probes.tracing.tokens import end_tokens, free_captions

SPEAKING = (
    "analysis.captions.speaker",
    "analysis.captions.two_pass",
    "probes.tracing.tokens",
    "probes.tracing.nonfinite",
    "probes.growing_cache",
)
"""Modules that decide what is said, beside the method's own."""


@dataclass(frozen=True)
class Captions:
    """What was said, an image after the other.

    Attributes
    ----------
    texts : the captions
    ended : whether each ended by itself
    cpu_seconds : of this process, for all of them
    report : what the method tells of itself, mean over all that it measured; empty without a method
    """

    texts: tuple[str, ...]
    ended: tuple[bool, ...]
    cpu_seconds: float
    report: Mapping[str, float]


class Speaker:
    """A subject with its images.

    Parameters
    ----------
    subject : who speaks
    items : the images
    batch_size : images described together
    max_new_tokens : longest caption, tokens
    store : folder of finished arms
    form : makes what leaves tokens possible, for one batch; and what it is called, where captions are not free
    beams : of the search; 1: greedy decoding
    """

    def __init__(
        self,
        subject: Subject,
        items: Sequence[Item],
        batch_size: int,
        max_new_tokens: int,
        store: Path,
        form: tuple[str, Callable[[], Any]] | None = None,
        beams: int = 1,
    ):
        self.subject, self.items, self.batch_size, self.max_new_tokens, self.store = subject, items, batch_size, max_new_tokens, store
        self.form, self.beams = form, beams
        self.identity = {
            "revision": subject.revision,
            "dtype": str(subject.model.dtype),
            "device": subject.model.device.type,
            "images": digest(item.pixels().tobytes() for item in items),
            "prompts": digest(str(item.prompt) for item in items),
            "batch_size": batch_size,
            "max_new_tokens": max_new_tokens,
            "versions": {name: versions().get(name) for name in ("torch", "transformers")},
            **({} if form is None else {"form": form[0]}),
            **({} if beams == 1 else {"beams": beams}),
        }

    def path(self, name: str, method: Any) -> Path:
        """The file of an arm: by its name, and by a digest of all that decides what is said."""
        own = [] if method is None else [as_json(method.describe()), code_of(method)]
        key = digest([as_json(self.identity), code_version(*SPEAKING), *own])
        return self.store / f"{name.replace(' ', '-')}-{key}.json"

    def said(self, name: str, method: Any) -> Captions:
        """The captions, read from the store or spoken now.

        Raises
        ------
        Unsupported, NothingSmoothed : the method cannot serve the subject, or touched nothing
        BadInput : the file of a finished arm is damaged
        """
        path = self.path(name, method)
        if path.is_file():
            return _read(path)
        begun, texts, ended, reports = time.process_time(), [], [], []
        size = 1 if getattr(method, "one_text", False) else self.batch_size
        for start in range(0, len(self.items), size):
            said, report = self._batch(self.items[start : start + size], method)
            texts += [self.subject.text(row) for row in said]
            ends = end_tokens(self.subject.speaker)
            ended += [bool(row) and row[-1] in ends for row in said]
            reports.append(report)
        seconds = time.process_time() - begun
        told = weighted(reports)
        found = {"captions": texts, "ended": ended, "cpu_seconds": seconds, "report": told}
        write_bytes(path, (json_text({"name": name, **found}) + "\n").encode())
        return Captions(tuple(texts), tuple(ended), seconds, told)

    def _batch(self, items: Sequence[Item], method: Any) -> tuple[list[list[int]], dict[str, tuple[float, int]]]:
        import torch

        model, inputs = self.subject.model, self.subject.encode(items)

        def spoken(method: Any) -> tuple[list[list[int]], Any]:
            choice: dict[str, Any] = {"do_sample": False, "num_beams": self.beams, "max_new_tokens": self.max_new_tokens}
            if self.form is not None:
                choice["logits_processor"] = [self.form[1]()]
            with torch.inference_mode(), nullcontext() if method is None else method(model) as run:
                return free_captions(model, inputs, end_tokens(self.subject.speaker), **choice), run

        if isinstance(method, ShuffledRates):
            method = method.second(spoken(method)[1])
        rows, run = spoken(method)
        return rows, {} if run is None else measured(run, method.describe())


def measured(run: Any, options: Mapping[str, Any]) -> dict[str, tuple[float, int]]:
    """What a method measured of itself in a batch, and of how many measurements, or tokens of the text, each is the mean."""
    report, counts = run.report(), getattr(run, "counts", {})
    return {
        key: (value, counts[key] if key in counts else report["tokens"])
        for key, value in report.items()
        if isinstance(value, float) and key not in options
    }


def weighted(batches: Sequence[Mapping[str, tuple[float, int]]]) -> dict[str, float]:
    """Means over all that was measured, by name, of those over batches and the number that each is of."""
    told = {}
    for key in dict.fromkeys(key for one in batches for key in one):
        parts = [one[key] for one in batches if key in one]
        told[key] = sum(mean * count for mean, count in parts) / sum(count for _, count in parts)
    return told


def _read(path: Path) -> Captions:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Captions(tuple(held["captions"]), tuple(held["ended"]), float(held["cpu_seconds"]), dict(held["report"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: is damaged ({type(error).__name__}); remove it, and the same command runs this arm again.") from error


def tried(speaker: Speaker, name: str, method: Any) -> Captions | str:
    """The captions; or, where the method cannot serve the subject or changed nothing, the reason in one line."""
    try:
        return speaker.said(name, method)
    except (Unsupported, NothingSmoothed) as error:
        return one_line(error)
