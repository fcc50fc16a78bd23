"""`python -m analysis.benchmark.text_attention`: AdaIAT's statistics of a bundled subject, from its own captions of known scenes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.benchmark.directions import with_tokens
from probes.command.cli import BadInput, run_cli
from probes.command.files import atomic_write
from probes.command.terminal import say
from probes.options import check_positive
from probes.subjects.item import Item

if TYPE_CHECKING:
    from torch import Tensor

    from probes.subjects import Subject
    from probes.subjects.emoji import Scene


@dataclass(frozen=True)
class TextAttentionConfig:
    """How much attention objects give the text before them, real and hallucinated ones, for `--methods adaiat:statistics=FILE`."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("--images 200 --out statistics.pt",)
    subject: str = "emoji"
    """a bundled subject"""
    images: int = 200
    """the first scenes of those it was trained on"""
    max_new_tokens: int = 160
    """bound"""
    out: Path = Path("statistics.pt")
    """the file"""
    debug: bool = False
    """traces of errors"""

    def __post_init__(self):
        check_positive(self, "images", "max_new_tokens")


@dataclass(frozen=True, eq=False)
class Counted:
    """Mean attention to the text before them at the objects that captions name, "mention layer head"; empty where there is none.

    Attributes
    ----------
    real, hallucinated : of objects that are there, and of others
    """

    real: "Tensor"
    hallucinated: "Tensor"

    @property
    def missing(self) -> str:
        """The kind of which there is no mention; empty if there are both."""
        return next((kind for kind in ("real", "hallucinated") if not len(getattr(self, kind))), "")

    @property
    def statistics(self) -> "dict[str, Tensor]":
        """AdaIAT's, where there are mentions of both."""
        from kvsmooth.baselines.adaiat import statistics_of

        return statistics_of(self.real, self.hallucinated)

    def __str__(self) -> str:
        return f"{len(self.real)} mentions of real objects and {len(self.hallucinated)} of hallucinated ones"


def perform(config: TextAttentionConfig) -> None:
    """Have the subject describe its scenes, and write what its attention does at the objects that it names.

    Raises
    ------
    BadInput : the subject has no scenes of its own, or its captions name no real, or no hallucinated, object behind their first token
    """
    import torch

    from probes.subjects import load_subject
    from probes.subjects.bundled import own_scenes

    scenes = own_scenes(config.subject, config.images, "train")
    found = counted(load_subject(config.subject), scenes, config.max_new_tokens)
    if found.missing:
        raise BadInput(f"{len(scenes)} captions of {config.subject} name no {found.missing} object; give more --images.")
    with atomic_write(config.out) as path:
        torch.save(found.statistics, path)
    say(f"{found} in {len(scenes)} captions")


def counted(
    subject: "Subject", scenes: "Iterable[Scene]", max_new_tokens: int = TextAttentionConfig.max_new_tokens, batch_size: int = 1
) -> Counted:
    """What the attention of a bundled subject does at the objects that it names when it describes these scenes.

    The model's attention is eager for the while: that alone hands its weights out.

    Parameters
    ----------
    max_new_tokens : longest caption
    batch_size : scenes described together
    """
    model, before = subject.model, subject.model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        return _counted(subject, scenes, max_new_tokens, batch_size)
    finally:
        model.set_attn_implementation(before)


def _counted(subject: "Subject", scenes: "Iterable[Scene]", max_new_tokens: int, batch_size: int) -> Counted:
    import torch

    from kvsmooth.baselines.adaiat import attention_to_text
    from probes.subjects.bundled import bundled
    from probes.tracing.tokens import end_tokens, free_captions

    forms, left = bundled(subject.name).forms(), iter(scenes)
    rows: dict[bool, list[Any]] = {True: [], False: []}
    choice = {"do_sample": False, "num_beams": 1, "max_new_tokens": max_new_tokens}
    while some := list(islice(left, batch_size)):
        items = [Item(scene.image_id, scene.image) for scene in some]
        with torch.inference_mode():
            said = free_captions(subject.model, subject.encode(items), end_tokens(subject.speaker), **choice)
        for scene, item, tokens in zip(some, items, said, strict=True):
            inputs = subject.encode([item])
            prompt, found = inputs["input_ids"].shape[1], mentions(subject, tokens, forms)
            whole = with_tokens(inputs, tokens)
            for real in rows:
                places = [prompt + place for place, name in found if (name in scene.names) == real]
                if places:
                    rows[real].append(attention_to_text(subject.model, whole, prompt, places))
    of_real, of_absent = (torch.cat(rows[kind]) if rows[kind] else torch.empty(0, 0, 0) for kind in (True, False))
    return Counted(of_real, of_absent)


def mentions(subject: "Subject", tokens: Sequence[int], forms: Mapping[str, Sequence[str]]) -> list[tuple[int, str]]:
    """(number of the token that begins it, object) of each object that a caption names.

    Parameters
    ----------
    forms : by object, the words for it
    """
    words = {form: name for name, said in forms.items() for form in said}
    pattern = r"\b(" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")\b"
    lengths = [len(subject.tokenizer.decode(list(tokens[: number + 1]))) for number in range(len(tokens))]
    text = subject.tokenizer.decode(list(tokens))
    return [
        (next(number for number, length in enumerate(lengths) if length > found.start()), words[found[1]])
        for found in re.finditer(pattern, text)
    ]


if __name__ == "__main__":
    run_cli(TextAttentionConfig, perform)
