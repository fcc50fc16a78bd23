"""Which image a line of someone's file is about: a number, or the last digits of a file's name; and that name."""

import re
from typing import Any

from analysis.datasets.files import number_in, number_of
from probes.command.cli import BadInput

FILES = ("image", "image_path", "file_name")
IMAGES = ("image_id", "id", *FILES)
LONGEST = 1024
"""Characters of a file's name with its folders; what is longer is the image itself, as text."""

_OF_COCO = re.compile(r"(?:^|[/\\])(?:COCO_[a-z]+20\d\d_)?(\d{12})(?:\.[A-Za-z]{3,4})?$", re.ASCII)
_PICTURE = re.compile(r"\.(?:jpe?g|png|webp|bmp|gif|tiff?|ppm)$", re.IGNORECASE | re.ASCII)


def image_of(found: dict[str, Any], where: str) -> int:
    """The image's id: a whole number, or the last digits of a file name. The name of one of COCO's files outdoes a mere `id`, which then
    numbers the lines.

    Raises
    ------
    BadInput : no field of `IMAGES`, or it holds neither; or `image_id` says another image than the name of COCO's file beside it
    """
    name = next((name for name in IMAGES if name in found), None)
    if name is None:
        raise BadInput(f"{where}: which image is it? One of {', '.join(IMAGES)} is needed; got {fields(found)}.")
    beside = next(((file, int(told[1])) for file in FILES if (told := _OF_COCO.search(str(found.get(file, ""))))), None)
    if name == "id" and beside is not None:
        return beside[1]
    named = number_in(found[name]) if isinstance(found[name], str) else None
    image_id = number_of(found, name, where) if named is None else named
    if beside is not None and beside[1] != image_id:
        raise BadInput(f"{where}: {name!r} says image {image_id} and {beside[0]!r} says image {beside[1]}; remove the wrong one.")
    return image_id


def file_of(found: dict[str, Any]) -> str:
    """The file's name as the line gives it, with its folders; "" where it gives a number alone."""
    for value in (found.get(name) for name in (*FILES, "image_id", "id")):
        if isinstance(value, str) and len(value) <= LONGEST and not value.strip().isdecimal():
            name = value.replace("\\", "/").rpartition("/")[2]
            if _PICTURE.search(name) or number_in(name) is not None:
                return value
    return ""


def fields(found: dict[str, Any]) -> str:
    """The names of a line's fields, for a message."""
    return ", ".join(repr(name[:40]) for name in list(found)[:8]) or "an empty object"
