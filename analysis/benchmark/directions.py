"""`python -m analysis.benchmark.directions`: VTI's directions for a subject, made of pairs of captions before any run."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from probes.command.cli import BadInput, run_cli
from probes.command.files import atomic_write
from probes.command.terminal import say
from probes.options import check_positive
from probes.subjects.item import PROMPT, Item

if TYPE_CHECKING:
    from torch import Tensor

    from probes.subjects import Subject


@dataclass(frozen=True)
class DirectionsConfig:
    """Directions from hallucinated captions to correct ones, for `--methods vti:directions=FILE`."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--images 50 --out directions.pt",
        "--subject models/mine --pairs demos.jsonl --image-folder train2014 --out directions.pt",
    )
    subject: str = "emoji"
    """a bundled subject, a folder or a hub id"""
    images: int = 50
    """of a bundled subject: the first scenes it was trained on; the hallucinated caption calls an object by an absent one's name"""
    pairs: Path | None = None
    """JSON lines: `image` (a file), `value` (the correct caption), `h_value` (the hallucinated one) and, if it is another, `question`"""
    image_folder: Path = Path()
    """where the images of --pairs are"""
    out: Path = Path("directions.pt")
    """the file"""
    debug: bool = False
    """traces of errors"""

    def __post_init__(self):
        check_positive(self, "images")


@dataclass(frozen=True)
class CaptionPair:
    """An image with two captions."""

    item: Item
    correct: str
    hallucinated: str


def perform(config: DirectionsConfig) -> None:
    """Make the directions and write them."""
    from kvsmooth.baselines.directions import save_directions
    from probes.subjects import load_subject
    from probes.subjects.bundled import bundled

    if config.pairs is None and bundled(config.subject) is None:
        raise BadInput(f"subject {config.subject}: it brings no captions; give pairs of them (--pairs) and their --image-folder.")
    found = list(drawn_pairs(config.subject, config.images) if config.pairs is None else read_pairs(config.pairs, config.image_folder))
    directions = directions_of(load_subject(config.subject), found)
    with atomic_write(config.out) as path:
        save_directions(directions, path)
    say(f"{len(found)} pairs: {directions.shape[0]} layers of {directions.shape[1]} numbers")


def directions_of(subject: "Subject", pairs: Iterable[CaptionPair]) -> "Tensor":
    """A subject's directions from the hallucinated captions to the correct ones, "layer width"."""
    from kvsmooth.baselines.directions import text_directions

    inputs = ((captioned(subject, one.item, one.hallucinated), captioned(subject, one.item, one.correct)) for one in pairs)
    return text_directions(subject.model, inputs)


def drawn_pairs(name: str, n: int) -> Iterator[CaptionPair]:
    """Pairs of a bundled subject's own captions.

    Raises
    ------
    BadInput : another subject has no scenes of its own
    """
    from probes.subjects.bundled import bundled, own_scenes
    from probes.subjects.emoji import captions as of_emoji
    from probes.subjects.smollm2 import captions as of_smollm2

    scenes, forms = own_scenes(name, n, "train"), bundled(name).forms()
    true = of_emoji.Habits(opening=0.0, further=0.0, behind=0.0, invented=0.0)
    for scene in scenes:
        said = of_emoji.describe(scene, true) if name == "emoji" else of_smollm2.describe(scene)
        yield CaptionPair(Item(scene.image_id, scene.image), said, swapped(said, forms, scene.names, scene.index))


def swapped(caption: str, forms: Mapping[str, Sequence[str]], present: frozenset[str], number: int) -> str:
    """The caption with one of its objects called by the name of another, absent one, wherever it is mentioned.

    Parameters
    ----------
    forms : by object, the words for it, singular and plural in turn
    number : decides which object, and which other one

    Raises
    ------
    ValueError : it mentions none
    """
    words = {form: (name, place % 2) for name in present for place, form in enumerate(forms[name])}
    pattern = r"\b(" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")\b"
    mentioned = list(dict.fromkeys(words[found][0] for found in re.findall(pattern, caption)))
    if not mentioned:
        raise ValueError(f"swapped.caption must mention one of {', '.join(sorted(present))}; got {caption!r}.")
    chosen, absent = mentioned[number % len(mentioned)], sorted(set(forms) - present)
    other = forms[absent[number % len(absent)]]

    def called(found: re.Match[str]) -> str:
        article, word = found[1] or "", found[2]
        name, plural = words[word]
        if name != chosen:
            return found[0]
        new = other[min(plural, len(other) - 1)]
        return f"{article[0]}{'n' if new[0] in 'aeiou' else ''} {new}" if article else new

    return re.sub(rf"(\b[Aa]n? )?{pattern}", called, caption)


def read_pairs(file: Path, folder: Path) -> Iterator[CaptionPair]:
    """Pairs of a file.

    Raises
    ------
    BadInput : a line lacks a field, or there is none
    """
    from analysis.datasets.files import json_objects

    number = -1
    for number, (where, one) in enumerate(json_objects(file)):
        for name in ("image", "value", "h_value"):
            if not isinstance(one.get(name), str) or not one[name].strip():
                raise BadInput(f"{where}: {name} must be a text; got {one.get(name)!r}.")
        yield CaptionPair(Item(number, folder / one["image"], one.get("question", PROMPT)), one["value"], one["h_value"])
    if number < 0:
        raise BadInput(f"{file}: no pair of captions in this file; a line is an object with image, value and h_value.")


def captioned(subject: "Subject", item: Item, caption: str) -> dict[str, Any]:
    """What the model's forward pass is given: prompt, image, and the caption behind them."""
    return with_tokens(subject.encode([item]), subject.tokenizer(caption, add_special_tokens=False)["input_ids"])


def with_tokens(inputs: Mapping[str, Any], tokens: Sequence[int]) -> dict[str, Any]:
    """The inputs of one row with further tokens behind its prompt."""
    import torch

    longer, more = dict(inputs), torch.tensor([list(tokens)], device=inputs["input_ids"].device)
    behind = {"input_ids": more, "attention_mask": torch.ones_like(more)}
    for name in ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"):
        if name in longer:
            longer[name] = torch.cat((longer[name], behind.get(name, torch.zeros_like(more)).to(longer[name])), 1)
    return longer


if __name__ == "__main__":
    run_cli(DirectionsConfig, perform)
