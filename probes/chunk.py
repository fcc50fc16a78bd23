"""The items of one batch, and the captions that are replayed to it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probes.command.cli import BadInput
from probes.command.values import check_text
from probes.recordings.store import RecordingStore
from probes.regimes import replayable
from probes.subjects import Item, Subject
from probes.tracing.tokens import end_tokens, free_captions


@dataclass(frozen=True)
class Chunk:
    """`size` items from `start` on; what is made of them is made when it is needed, once."""

    subject: Subject
    whole: Sequence[Item]
    start: int
    size: int

    @property
    def items(self) -> Sequence[Item]:
        """The items of this chunk; the last one of a list may be shorter."""
        return self.whole[self.start : self.start + self.size]

    @property
    def hashes(self) -> list[str]:
        """What decides an item: number, prompt, pixels."""
        return [item.content for item in self.items]

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """Inputs of `generate`."""
        return self.subject.encode(self.items)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """A stream of torch's random numbers for each seed (0 or more) and chunk; the caller's generators are left as they were."""
        with torch.random.fork_rng():
            # mixed, not added: seed 0 at item 16 must not be seed 16 at item 0
            torch.manual_seed(int(np.random.SeedSequence([seed, self.start]).generate_state(1, np.uint64)[0]))
            yield


def given_captions(
    subject: Subject, captions: Mapping[int, str | Sequence[int]], numbers: Sequence[int], longest: int, options: Mapping[str, Any]
) -> dict[int, str | list[int]]:
    """Captions for a replay, each a text or plain token ids, looked at before anything is generated.

    Parameters
    ----------
    numbers : of the images that need one
    longest : tokens of a caption, its end among them
    options : of `generate`

    Raises
    ------
    BadInput : one is missing, empty, longer than `longest`, or holds what is no token
    """
    if missing := [number for number in numbers if number not in captions]:
        raise BadInput(f"record: captions must hold every image_id; {missing[0]} is missing.")
    ends = end_tokens(subject.speaker, options)
    found: dict[int, str | list[int]] = {}
    for number, caption in captions.items():
        if isinstance(caption, bytes) or not (isinstance(caption, str) or hasattr(caption, "__iter__")):
            raise BadInput(f"record: captions must be texts or token ids; got {type(caption).__name__} (image {number}).")
        if isinstance(caption, str):
            check_text(caption, f"record: the caption of image {number}")
        said = () if not len(caption) else subject.tokens(caption) if isinstance(caption, str) else caption
        tokens = replayable(subject.model, said, ends, longest, f"image {number}")
        found[number] = caption if isinstance(caption, str) else tokens
    return found


def recorded_captions(free: RecordingStore, baseline: str | None, chunk: Chunk, settings: Mapping[str, Any]) -> list[list[int]] | None:
    """The baseline's tokens from a free recording with these settings; None if one of them is missing there."""
    there = free.settings()
    if there is None or baseline is None or any(there.get(name) != value for name, value in settings.items()):
        return None
    found = [free.find(baseline, item.image_id, made) for item, made in zip(chunk.items, chunk.hashes, strict=True)]
    if any(recording is None for recording in found):
        return None
    return [recording.token_predicted.values[0, 0].tolist() for recording in found]


def spoken_captions(subject: Subject, chunk: Chunk, seed: int, **options: Any) -> list[list[int]]:
    """What the subject says about the items by itself, unrecorded, as a free recording with this seed would have it."""
    ends = end_tokens(subject.tracing.speaker, options)
    with chunk.seeded(seed):
        return free_captions(subject.model, chunk.inputs, ends, **options)
