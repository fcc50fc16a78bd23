"""The bundled subject's scenes as a set of annotated images: COCO's names and format, no download.

The instances are what is drawn. Each scene has one caption, the short one of its writer, which names all that is there and nothing else.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from analysis.datasets.annotation_set import truth_of
from analysis.words.readers import Reader
from probes.command.cli import BadInput
from probes.command.files import atomic_write, write_bytes
from probes.subjects.emoji.captions import brief
from probes.subjects.emoji.scenes import SPLITS, Scene, annotations, scenes

FILE_NAME = "COCO_{part}2014_{image_id:012d}.jpg"


@dataclass(frozen=True)
class EmojiCoco:
    """Scenes as a set of annotated images; made by `emoji_coco`.

    Parameters
    ----------
    scenes : different ones
    """

    scenes: tuple[Scene, ...]

    @cached_property
    def _by_id(self) -> dict[int, Scene]:
        return {item.image_id: item for item in sorted(self.scenes, key=lambda item: item.image_id)}

    @cached_property
    def key(self) -> str:
        """A hash of what is drawn where, and of the captions."""
        told = [annotations(self._by_id.values()), self.captions(self._by_id)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def ids(self) -> list[int]:
        """The ids of all scenes, sorted."""
        return list(self._by_id)

    def file_name(self, image_id: int) -> str:
        """The name that `write_coco` gives to the scene's image.

        Raises
        ------
        BadInput : no such scene in this set
        """
        return FILE_NAME.format(part="val", image_id=self.scene(image_id).image_id)

    def scene(self, image_id: int) -> Scene:
        """The scene with its image.

        Raises
        ------
        BadInput : no such scene in this set
        """
        if image_id not in self._by_id:
            raise BadInput(f"no scene of this set has the image id {image_id}; it holds {len(self._by_id)} scenes.")
        return self._by_id[image_id]

    def image(self, image_id: int) -> Image.Image:
        """The scene as it is drawn.

        Raises
        ------
        BadInput : no such scene in this set
        """
        return self.scene(image_id).image

    def instances(self, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """The distinct names of what each scene holds, from left to right; ids of no scene are left out."""
        return {i: tuple(dict.fromkeys(item.category for item in self._by_id[i].objects)) for i in ids if i in self._by_id}

    def captions(self, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """The short caption of each scene; ids of no scene are left out."""
        return {i: (brief(self._by_id[i]),) for i in ids if i in self._by_id}

    def truth(self, ids: Iterable[int], reader: Reader) -> dict[int, frozenset[str]]:
        """CHAIR's objects of each scene: those that are drawn; ids of no scene are left out."""
        asked = list(ids)
        return truth_of(self.instances(asked), self.captions(asked), reader)


def emoji_coco(images: int | Iterable[Scene], split: str = "test") -> EmojiCoco:
    """The first scenes of a split, or the scenes given, as a set of annotated images.

    Raises
    ------
    BadInput : no such split, or a negative number
    """
    if not isinstance(images, int):
        return EmojiCoco(tuple(images))
    if split not in SPLITS or images < 0:
        raise BadInput(f"emoji_coco takes 0 images or more of one of {', '.join(SPLITS)}; got {images} of {split!r}.")
    return EmojiCoco(tuple(scenes(images, split)))


@dataclass(frozen=True)
class CocoFolder:
    """Where COCO's files lie: the folder of annotations, the folder of images, and the ids of the images."""

    annotations: Path
    images: Path
    ids: tuple[int, ...]


def write_coco(folder: str | Path, images: int | Iterable[Scene], *, part: str = "val", captions: bool = True) -> CocoFolder:
    """Write scenes as COCO 2014 distributes its images: annotations/instances_val2014.json, captions_val2014.json, val2014/*.jpg.

    Parameters
    ----------
    folder : made if missing
    images : scenes, or how many of the test split
    part : "val" or "train"
    captions : write the captions' file too
    """
    folder, held = Path(folder), emoji_coco(images)
    drawn = [held.scene(image_id) for image_id in held.ids()]
    found = CocoFolder(folder / "annotations", folder / f"{part}2014", tuple(held.ids()))
    content = annotations(drawn)
    for row, item in zip(content["images"], drawn, strict=True):
        row["file_name"] = FILE_NAME.format(part=part, image_id=item.image_id)
        with atomic_write(found.images / row["file_name"]) as temporary:
            item.image.save(temporary, format="JPEG", quality=95)
    for row in content["annotations"]:
        x, y, width, height = row["bbox"]
        row["segmentation"] = [[x, y, x + width, y, x + width, y + height, x, y + height]]
    _write_json(found.annotations / f"instances_{part}2014.json", content)
    if captions:
        rows = [{"image_id": i, "id": i * 10, "caption": text} for i, texts in held.captions(held.ids()).items() for text in texts]
        _write_json(found.annotations / f"captions_{part}2014.json", {"images": content["images"], "annotations": rows})
    return found


def _write_json(path: Path, content: dict) -> None:
    write_bytes(path, json.dumps({"info": {}, "licenses": [], **content}).encode())
