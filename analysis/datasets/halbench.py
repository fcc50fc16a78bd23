"""Object HalBench's questions: 300 COCO images, each with one of several wordings of "describe this image".

RLHF-V and RLAIF-V distribute them as ``obj_halbench_300_with_image.jsonl``. A line is read by these names: ``image_id`` (a number, or a
file name that ends in one), ``question`` (or ``text``, ``prompt``), and, if they are there, ``image`` (base64 of a JPG or PNG) or
``image_path`` (a file name in a folder of images). Others are passed over. The data are for research only (CC BY-NC 4.0 by their owners'
README); none are shipped here.
"""

import base64
import binascii
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from analysis.datasets.files import image_inside, json_objects, number_in, number_of, text_of
from probes.command.cli import BadInput

FORMATS = ("JPEG", "PNG")
"""What is decoded: Pillow hands some others to programs outside."""
QUESTION_NAMES = ("question", "text", "prompt")
LARGEST = 50_000_000
"""Characters of the longest base64 that is read."""


@dataclass(frozen=True)
class HalBenchQuestion:
    """One image and what is asked of it.

    Attributes
    ----------
    image_id : COCO's
    text : the question
    encoded : the bytes of the image's file, as they are in the jsonl; None where only COCO's own folder has it
    image_path : of the image within a folder; "" if it is not told
    where : the file and line, for errors
    """

    image_id: int
    text: str
    encoded: bytes | None = field(default=None, repr=False)
    image_path: str = ""
    where: str = ""

    def image(self, folder: str | Path | None = None) -> Image.Image:
        """The image in RGB: the encoded one, else that in the folder.

        Raises
        ------
        BadInput : there is none, its name leads out of the folder, it is damaged or larger than Pillow takes for harmless
        """
        if self.encoded is not None:
            return _decoded(io.BytesIO(self.encoded), self.where)
        if folder is None or not self.image_path:
            raise BadInput(f"{self.where}: image {self.image_id} is not in the file; give COCO's folder of images.")
        try:
            path = image_inside(folder, self.image_path, "check the folder and the path in the file")
        except BadInput as error:
            raise BadInput(f"{self.where}: {error}") from None
        return _decoded(path, self.where)


def read_halbench(path: str | Path) -> list[HalBenchQuestion]:
    """The questions in the order of the file; images are checked to be images, and decoded only when they are asked for.

    Raises
    ------
    BadInput : no such file; a line without number or question, with an image that is none, or of an image that was there before
    """
    found: dict[int, HalBenchQuestion] = {}
    for where, line in json_objects(path):
        question = _question(line, where)
        if question.image_id in found:
            raise BadInput(f"{where}: image {question.image_id} was there before; keep one question an image.")
        found[question.image_id] = question
    if not found:
        raise BadInput(f"{path}: no question in this file; is it obj_halbench_300_with_image.jsonl?")
    return list(found.values())


def _question(line: dict[str, Any], where: str) -> HalBenchQuestion:
    name = next((name for name in QUESTION_NAMES if name in line), QUESTION_NAMES[0])
    image_path = text_of(line, "image_path", where) if line.get("image_path") is not None else ""
    encoded = _encoded(line["image"], where) if line.get("image") is not None else None
    return HalBenchQuestion(_number(line, where), text_of(line, name, where), encoded, image_path, where)


def _number(line: dict[str, Any], where: str) -> int:
    value = line.get("image_id")
    named = number_in(value) if isinstance(value, str) else None
    return number_of(line, "image_id", where) if named is None else named


def _encoded(value: Any, where: str) -> bytes:
    if not isinstance(value, str) or len(value) > LARGEST:
        raise BadInput(f"{where}: 'image' must be base64 of at most {LARGEST:,} characters.")
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(f"{where}: 'image' is no base64; the line may be cut off.") from None
    with _harmless(where), Image.open(io.BytesIO(content), formats=FORMATS):
        return content


def _decoded(source: Any, where: str) -> Image.Image:
    from probes.subjects.pixels import rgb  # here: it comes with torch, which scoring does not need

    with _harmless(where), Image.open(source, formats=FORMATS) as image:
        return rgb(image, where)


@contextmanager
def _harmless(where: str) -> Iterator[None]:
    """Within the block, whatever Pillow says of an image is one line of ours."""
    try:
        with warnings.catch_warnings():
            # between once and twice its bound Pillow only warns
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except BadInput:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadInput(f"{where}: the image has more than {Image.MAX_IMAGE_PIXELS:,} pixels; scale it down.") from None
    except Exception:  # of damaged files Pillow raises what its parsers happen to meet
        raise BadInput(f"{where}: the image cannot be read; it is cut off, damaged or no image.") from None
