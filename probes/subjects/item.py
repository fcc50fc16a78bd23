"""One thing to describe: an image, its number, and what is asked."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from probes.command.cli import BadInput
from probes.command.provenance import digest

PROMPT = "Please describe this image in detail."
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True)
class Item:
    """An image with a prompt.

    Attributes
    ----------
    image_id : unique in a recording, not negative
    image : a PIL image, or the path of one
    prompt : what is asked; the subject's chat template puts the image before it
    """

    image_id: int
    image: Any
    prompt: str = PROMPT

    def __post_init__(self):
        if isinstance(self.image_id, bool) or not isinstance(self.image_id, int) or self.image_id < 0:
            raise BadInput(f"Item.image_id must be an integer from 0 on; got {self.image_id!r}.")
        if not isinstance(self.image, Image.Image | str | Path):
            raise BadInput(f"Item.image must be a PIL image or a path; got {type(self.image).__name__} (item {self.image_id}).")
        if not self.prompt.strip():
            raise BadInput(f"Item.prompt must say something; it is empty (item {self.image_id}).")

    @cached_property
    def content(self) -> str:
        """A hash of what decides the item: number, prompt, pixels; computed once, whatever happens to a file of the image then."""
        image = self.pixels()
        return digest([str(self.image_id), self.prompt, str(image.size), image.tobytes()])

    def pixels(self) -> Image.Image:
        """The image in RGB.

        Raises
        ------
        BadInput : there is no such file, it is no image, or a larger one than Pillow takes for harmless
        """
        if isinstance(self.image, Image.Image):
            return self.image.convert("RGB")
        try:
            # between once and twice its bound Pillow only warns, and decodes the image all the same
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(self.image) as image:
                    return image.convert("RGB")
        except FileNotFoundError:
            raise BadInput(f"{self.image}: there is no such image (item {self.image_id}); check the path.") from None
        except Exception as error:  # each of Pillow's decoders has errors of its own, RuntimeError and NotImplementedError among them
            raise BadInput(f"{self.image}: the image cannot be read (item {self.image_id}); it is {_trouble(error)}.") from None


def _trouble(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"too large, more than the {Image.MAX_IMAGE_PIXELS} pixels that are decoded. Scale it down or remove it"
    if isinstance(error, UnidentifiedImageError):
        return "in no format that Pillow knows. Replace or remove it"
    if isinstance(error, IsADirectoryError):
        return "a folder. Give the image's own path"
    if isinstance(error, PermissionError):
        return "closed to you. Make it readable"
    return "cut off or damaged. Replace or remove it"


def items_in(folder: str | Path, prompt: str = PROMPT) -> list[Item]:
    """The images of a folder in the order of their names.

    An image is numbered by the digits at the end of its name, as in COCO (`COCO_val2014_000000000042.jpg` is 42); where these are missing
    or not unique, images are numbered from 0.

    Raises
    ------
    BadInput : there is no such folder, or no image in it
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder of images.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise BadInput(f"{folder}: no image in this folder (of {', '.join(SUFFIXES)}).")
    numbers = [_trailing_number(path.stem) for path in paths]
    if None in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(len(paths)))
    return [Item(number, path, prompt) for number, path in zip(numbers, paths, strict=True)]


def _trailing_number(stem: str) -> int | None:
    digits = stem[len(stem.rstrip("0123456789")) :]
    return int(digits) if digits else None
