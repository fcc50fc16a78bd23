"""`python -m analysis.benchmark.text_attention`: AdaIAT's statistics of a bundled subject, from its own captions of known scenes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.benchmark.directions import with_tokens
from probes.command.cli import BadInput, run_cli
from probes.command.files import atomic_write
from probes.command.terminal import say
from probes.options import check_positive
from probes.subjects.item import Item

if TYPE_CHECKING:
    from probes.subjects import Subject


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


def perform(config: TextAttentionConfig) -> None:
    """Have the subject describe its scenes, and write what its attention does at the objects that it names.

    Raises
    ------
    BadInput : the subject has no scenes of its own, or its captions name no real, or no hallucinated, object behind their first token
    """
    import torch

    from kvsmooth.baselines.adaiat import attention_to_text, statistics_of
    from probes.subjects import load_subject
    from probes.subjects.bundled import bundled, own_scenes
    from probes.tracing.tokens import end_tokens, free_captions

    scenes = own_scenes(config.subject, config.images, "train")
    subject, forms = load_subject(config.subject), bundled(config.subject).forms()
    subject.model.set_attn_implementation("eager")  # that alone hands its weights out
    rows: dict[bool, list[Any]] = {True: [], False: []}
    choice = {"do_sample": False, "num_beams": 1, "max_new_tokens": config.max_new_tokens}
    for scene in scenes:
        inputs = subject.encode([Item(scene.image_id, scene.image)])
        with torch.inference_mode():
            (tokens,) = free_captions(subject.model, inputs, end_tokens(subject.speaker), **choice)
        prompt, found = inputs["input_ids"].shape[1], mentions(subject, tokens, forms)
        whole = with_tokens(inputs, tokens)
        for real in rows:
            places = [prompt + place for place, name in found if (name in scene.names) == real]
            if places:
                rows[real].append(attention_to_text(subject.model, whole, prompt, places))
    for real, kind in ((True, "real"), (False, "hallucinated")):
        if not rows[real]:
            raise BadInput(f"{len(scenes)} captions of {config.subject} name no {kind} object; give more --images.")
    at_real, at_hallucinated = torch.cat(rows[True]), torch.cat(rows[False])
    with atomic_write(config.out) as path:
        torch.save(statistics_of(at_real, at_hallucinated), path)
    say(f"{len(at_real)} mentions of real objects and {len(at_hallucinated)} of hallucinated ones in {len(scenes)} captions")


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
