"""Where the images of a plan are: the bundled scenes, a folder, or the benchmark's own file."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from PIL import Image

from analysis.datasets.files import image_inside
from probes.command.cli import BadInput
from probes.command.provenance import digest


@runtime_checkable
class Source(Protocol):
    """Gives an image by the name that a plan has for it."""

    def image(self, file: str) -> Path | Image.Image:
        """A path, or an image in memory.

        Raises
        ------
        BadInput : there is none of this name, or it cannot be read
        """


@dataclass(frozen=True)
class Scenes:
    """The bundled subject's unseen scenes, `test/<index>`.

    Parameters
    ----------
    drawn : by name, those that are drawn already
    """

    drawn: Mapping[str, Image.Image] = field(default_factory=dict)

    def image(self, file: str) -> Image.Image:
        """The scene."""
        if file in self.drawn:
            return self.drawn[file]
        from probes.subjects.emoji import scene

        split, _, index = file.partition("/")
        if split != "test" or not index.isdigit() or len(index) > 8:
            raise BadInput(f"{file[:80]!r} is no scene of the bundled subject; they are called test/0, test/1, ...")
        return scene(int(index), split).image


@dataclass(frozen=True)
class Folder:
    """Image files in a folder."""

    folder: Path

    def __post_init__(self):
        if not self.folder.is_dir():
            raise BadInput(f"--image-folder {self.folder}: there is no such folder.")

    def image(self, file: str) -> Path:
        """The path of a file that is there."""
        return image_inside(self.folder, file, "give the folder that holds it by --image-folder")


@dataclass(frozen=True)
class EnclosedImages:
    """Images that came inside the benchmark's own file.

    Parameters
    ----------
    openers : by name, what gives the image
    """

    openers: Mapping[str, Callable[[], Image.Image]]

    def image(self, file: str) -> Image.Image:
        """The image in memory."""
        if file not in self.openers:
            raise BadInput(f"{file[:80]!r}: the benchmark's file holds no such image; give the file that the plan was made with.")
        return self.openers[file]()


def named(image_id: int) -> str:
    """What an image that came inside a file is called."""
    return f"image {image_id}"


def checksum(image: Path | Image.Image) -> str:
    """sha256 of a file's bytes, or a hash of the pixels of an image that has no file."""
    if isinstance(image, Image.Image):
        from probes.subjects.pixels import rgb  # here: it comes with torch, which nothing else of a plan needs

        pixels = rgb(image, "an image of the benchmark's file")
        return digest([str(pixels.size), pixels.tobytes()])
    with image.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
