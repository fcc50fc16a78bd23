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

from analysis.datasets.files import json_objects, text_of
from analysis.datasets.image_names import fields, file_of, image_of
from analysis.metrics.metric import Answer
from probes.command.cli import BadInput, Notice

TEXTS = ("caption", "response", "answer", "text", "output")
SAME = 3
"""So many images or more with one and the same text are told."""


def read_answers(path: Path) -> list[Answer]:
    """What a file of captions says, in its order; a file without a line gives an empty list.

    Raises
    ------
    BadInput : the file, a line or a field cannot be used; it says which
    """
    return [
        Answer(image_of(found, where), text_of(found, text_field(found, where), where), file=file_of(found))
        for where, found in json_objects(path)
    ]


def text_field(found: dict[str, Any], where: str) -> str:
    """The field that holds the text.

    Raises
    ------
    BadInput : none of `TEXTS` is there
    """
    name = next((name for name in TEXTS if name in found), None)
    if name is None:
        raise BadInput(f"{where}: what was said? One of {', '.join(TEXTS)} is needed; got {fields(found)}.")
    return name


def tell_of_repeats(path: Path, answers: Sequence[Answer]) -> None:
    """Notices of images that are captioned more than once (every line counts, as in the reference), of captions that are all the same text,
    and of different files whose names give one number: nobody should find out later.
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
    names: dict[int, str] = {}
    for answer in answers:
        first = names.setdefault(answer.image_id, answer.file) if answer.file else ""
        if first and _stem(first) != _stem(answer.file):
            told = f"{path}: {first!r} and {answer.file!r} are both read as image {answer.image_id}; give image_id beside the names."
            warnings.warn(told, Notice, stacklevel=2)
            break


def _stem(file: str) -> str:
    """A file's name without folders, ending, and what COCO's older names begin with."""
    return re.sub(r"^COCO_[a-z]+20\d\d_", "", file.replace("\\", "/").rpartition("/")[2]).partition(".")[0]
