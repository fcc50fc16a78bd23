"""Captions and answers as other people's tools write them: JSON lines, or one JSON list of the same objects.

Tools name the same things differently. Read are: the image as `image_id`, `id`, or the file name in `image`, `image_path`, `file_name` or
`image_id` (its last digits, as the public CHAIR code reads `COCO_val2014_000000000042.jpg`); the text as `caption`, `response`, `answer`,
`text` or `output`.
"""

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.datasets.files import json_objects, number_in, number_of, text_of
from analysis.metrics.metric import Answer
from probes.command.cli import BadInput, Notice

FILES = ("image", "image_path", "file_name")
IMAGES = ("image_id", "id", *FILES)
TEXTS = ("caption", "response", "answer", "text", "output")
SAME = 3
"""So many images or more with one and the same text are told."""

_OF_COCO = re.compile(r"(?:^|[/\\])(?:COCO_[a-z]+20\d\d_)?(\d{12})(?:\.[A-Za-z]{3,4})?$", re.ASCII)


def read_answers(path: Path) -> list[Answer]:
    """What a file of captions says, in its order; a file without a line gives an empty list.

    Raises
    ------
    BadInput : the file, a line or a field cannot be used; it says which
    """
    return [Answer(image_of(found, where), text_of(found, text_field(found, where), where)) for where, found in json_objects(path)]


def image_of(found: dict[str, Any], where: str) -> int:
    """The image's id: a whole number, or the last digits of a file name. The name of one of COCO's files outdoes a mere `id`, which then
    numbers the lines.

    Raises
    ------
    BadInput : no field of `IMAGES`, or it holds neither; or `image_id` says another image than the name of COCO's file beside it
    """
    name = next((name for name in IMAGES if name in found), None)
    if name is None:
        raise BadInput(f"{where}: which image is it? One of {', '.join(IMAGES)} is needed; got {_names(found)}.")
    beside = next(((file, int(told[1])) for file in FILES if (told := _OF_COCO.search(str(found.get(file, ""))))), None)
    if name == "id" and beside is not None:
        return beside[1]
    named = number_in(found[name]) if isinstance(found[name], str) else None
    image_id = number_of(found, name, where) if named is None else named
    if beside is not None and beside[1] != image_id:
        raise BadInput(f"{where}: {name!r} says image {image_id} and {beside[0]!r} says image {beside[1]}; remove the wrong one.")
    return image_id


def text_field(found: dict[str, Any], where: str) -> str:
    """The field that holds the text.

    Raises
    ------
    BadInput : none of `TEXTS` is there
    """
    name = next((name for name in TEXTS if name in found), None)
    if name is None:
        raise BadInput(f"{where}: what was said? One of {', '.join(TEXTS)} is needed; got {_names(found)}.")
    return name


def tell_of_repeats(path: Path, answers: Sequence[Answer]) -> None:
    """Notices of images that are captioned more than once (every line counts, as in the reference), and of captions that are all the same
    text: nobody should find out later.
    """
    per_image = Counter(answer.image_id for answer in answers)
    several = sum(times > 1 for times in per_image.values())
    same = len(answers) - len({(answer.image_id, answer.text) for answer in answers})
    if several:
        told = f"{path}: {several:,} image{'' if several == 1 else 's'} with more than one caption, each of which counts"
        told += f"; {same:,} line{' repeats' if same == 1 else 's repeat'} an earlier one word for word" if same else ""
        warnings.warn(f"{told}.", Notice, stacklevel=2)
    if len(per_image) >= SAME and len({answer.text for answer in answers}) == 1:
        told = f"{path}: all {len(answers):,} captions are the same text ({answers[0].text[:60]!r}); is this a file of questions?"
        warnings.warn(told, Notice, stacklevel=2)


def _names(found: dict[str, Any]) -> str:
    return ", ".join(repr(name[:40]) for name in list(found)[:8]) or "an empty object"
