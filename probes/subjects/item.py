"""One thing to describe: an image, its number, and what is asked."""

import errno
import os
import stat
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from probes.command.cli import BadInput
from probes.command.provenance import digest
from probes.command.terminal import printable
from probes.command.values import check_text, whole
from probes.subjects.pixels import rgb

PROMPT = "Please describe this image in detail."


@dataclass(frozen=True)
class Item:
    """An image with a prompt.

    Attributes
    ----------
    image_id : unique in a recording, from 0 on, below 2**63
    image : a PIL image, or the path of one
    prompt : what is asked; the subject's chat template puts the image before it
    """

    image_id: int
    image: Any
    prompt: str = PROMPT

    def __post_init__(self):
        object.__setattr__(self, "image_id", whole(self.image_id, "Item.image_id"))
        if not isinstance(self.image, Image.Image | str | Path):
            raise BadInput(f"Item.image must be a PIL image or a path; got {type(self.image).__name__} (item {self.image_id}).")
        check_prompt(self.prompt, "Item.prompt", f"item {self.image_id}")

    @cached_property
    def content(self) -> str:
        """A hash of what decides the item: number, prompt, pixels; computed once, whatever happens to a file of the image then."""
        image = self.pixels()
        return digest([str(self.image_id), self.prompt, str(image.size), image.tobytes()])

    @property
    def file(self) -> str:
        """Name of the image's file, without its folder and with what cannot be printed written out; "" of an image without a file."""
        path = getattr(self.image, "filename", "") if isinstance(self.image, Image.Image) else self.image
        return printable(Path(os.fsdecode(path)).name)

    def pixels(self) -> Image.Image:
        """The image in RGB, upright and on white (see `probes.subjects.pixels.rgb`).

        Raises
        ------
        BadInput : there is no such file, it is no image, a larger one than Pillow takes for harmless, or one of numbers without a range
        """
        where = f"the image of item {self.image_id}" if isinstance(self.image, Image.Image) else f"{self.image} (item {self.image_id})"
        try:
            # between once and twice its bound Pillow only warns, and decodes the image all the same; what else it warns of is readable
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                if isinstance(self.image, Image.Image):
                    return rgb(self.image, where)
                check_file(self.image, f" (item {self.image_id})")
                with Image.open(self.image) as image:
                    return rgb(image, where)
        except BadInput:
            raise
        except Exception as error:  # each of Pillow's decoders has errors of its own, RuntimeError and NotImplementedError among them
            named = "the image" if isinstance(self.image, Image.Image) else f"{self.image}: the image"
            raise BadInput(f"{named} cannot be read (item {self.image_id}); it is {_trouble(error)}.") from None


def check_prompt(prompt: Any, name: str, where: str) -> None:
    """Refuse what cannot be asked.

    Parameters
    ----------
    name : of the option
    where : which item or query

    Raises
    ------
    BadInput : it is no text, empty, or holds bytes that are no UTF-8
    """
    if not isinstance(prompt, str) or not prompt.strip():
        given = "it is empty" if isinstance(prompt, str) else f"it is of type {type(prompt).__name__}"
        raise BadInput(f"{name} must say something; {given} ({where}).")
    check_text(prompt, name)


def check_file(path: str | Path, which: str = "") -> None:
    """Refuse what stands where a file of an image should, before anything waits for it: a pipe never ends.

    Raises
    ------
    BadInput : no file, a folder, a pipe or device, or a link that leads nowhere
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            return
        trouble = "a folder. Give the image's own path" if stat.S_ISDIR(mode) else "a pipe or a device. Replace or remove it"
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such image{which}; check the path.") from None
    except (OSError, ValueError) as error:
        trouble = _trouble(error)
    raise BadInput(f"{path}: the image cannot be read{which}; it is {trouble}.")


def _trouble(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"too large, more than the {Image.MAX_IMAGE_PIXELS} pixels that are decoded. Scale it down or remove it"
    if isinstance(error, UnidentifiedImageError):
        return "in no format that Pillow knows. Replace or remove it"
    if isinstance(error, PermissionError):
        return "closed to you. Make it readable"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "a link that leads back to itself. Mend or remove it"
    if isinstance(error, OSError) and error.errno:
        return f"out of reach ({error.strerror}). Mend that, or remove it"
    return "cut off or damaged. Replace or remove it"
