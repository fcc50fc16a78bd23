"""The images of a folder of one's own."""

from pathlib import Path

from probes.command.cli import BadInput
from probes.command.values import LARGEST
from probes.subjects.item import PROMPT, Item, check_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def items_in(folder: str | Path, prompt: str = PROMPT) -> list[Item]:
    """The images of a folder in the order of their names; hidden files, such as the `._a.jpg` that macOS leaves, are passed over.

    An image is numbered by the digits at the end of its name, as in COCO (`COCO_val2014_000000000042.jpg` is 42). Where these are missing,
    not unique or too large for a file of results (2**63 or more), all images are numbered from 0; a recording keeps their names too.

    Raises
    ------
    BadInput : there is no such folder, no image in it, or something by an image's name that is no file
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder of images.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    if not paths:
        raise BadInput(f"{folder}: no image in this folder (of {', '.join(SUFFIXES)}).")
    for path in paths:
        check_file(path)
    numbers = [trailing_number(path.stem) for path in paths]
    if None in numbers or len(set(numbers)) < len(numbers) or max(numbers) > LARGEST:
        numbers = list(range(len(paths)))
    return [Item(number, path, prompt) for number, path in zip(numbers, paths, strict=True)]


def trailing_number(stem: str) -> int | None:
    """The digits at the end of a name, as a number; None without any."""
    digits = stem[len(stem.rstrip("0123456789")) :]
    return int(digits) if digits else None
