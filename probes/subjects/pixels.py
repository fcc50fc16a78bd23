"""An image of any of Pillow's modes as the eight-bit RGB that people see: upright, on white, no tone cut off."""

from contextlib import suppress

import numpy as np
from PIL import ExifTags, Image, ImageOps

from probes.command.cli import BadInput

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def rgb(image: Image.Image, where: str) -> Image.Image:
    """The image in RGB, eight bits a channel.

    Turned as its EXIF orientation says; what is transparent is laid on white; of 16 bits of grey the upper half is kept (v / 257, rounded).
    Of an animation it is the frame that is open, of a file the first. Colour profiles are not applied.

    Parameters
    ----------
    where : opens the message of an error

    Raises
    ------
    BadInput : its pixels are numbers without a stated range: 32-bit integers, or floats
    """
    image.load()  # what is damaged is met here, not in its EXIF
    image = _upright(image)
    if image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format == "PPM"):  # Pillow reads a PGM of 16 bits into 32
        image = _eight_bits(image)
    if image.mode in ("I", "F"):
        kind = {"I": "32-bit integers", "F": "floats"}[image.mode]
        raise BadInput(f"{where}: its pixels are {kind}, whose black and white are not stated; scale them to 0 to 255 (mode L) first.")
    if image.has_transparency_data:
        image = image.convert(PREMULTIPLIED.get(image.mode, image.mode)).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    made_of = image.format  # a turned image does not know any more which file it is of
    with suppress(Exception):  # damaged EXIF says nothing of an image that can be read: each parser has errors of its own
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            image = ImageOps.exif_transpose(image)
            image.format = made_of
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """16 bits of grey in 8; a value that stands for transparent (PNG's tRNS) as an alpha channel."""
    values = np.asarray(image).astype(np.int64)
    grey = Image.fromarray(np.round(values / 257).astype(np.uint8))
    clear = image.info.get("transparency")
    if clear is not None:
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey
