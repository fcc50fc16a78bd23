"""Which images a question shows to its subject, and which objects are in them: its own scenes, or a folder with COCO's instances."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.command.cli import BadInput
from probes.command.values import given_text
from probes.options import ImageOptions

if TYPE_CHECKING:
    from probes.subjects import Item

WAY_OUT = "(--annotations, a file in COCO's instances format)"


@dataclass(frozen=True)
class Shown:
    """Images with what is in them.

    Attributes
    ----------
    items : in the order in which they are shown, numbered as in the annotations
    annotations : COCO's instances of these images
    """

    items: "tuple[Item, ...]"
    annotations: Mapping[str, Any]

    @cached_property
    def truth(self) -> dict[int, frozenset[str]]:
        """The objects of each image."""
        from analysis.metrics.chair import ground_truth

        return ground_truth(self.annotations)


def shown(config: ImageOptions, annotations: Path | None, split: str = "test") -> Shown:
    """The images that the options name, with their objects; no model is loaded.

    Parameters
    ----------
    annotations : file in COCO's instances format, of images of one's own
    split : of a bundled subject's scenes

    Raises
    ------
    BadInput : a subject without images of its own is given none, their objects are not given, or an image or a file cannot be used
    """
    if config.image_folder is not None and annotations is None:
        raise BadInput(f"--image-folder {config.image_folder}: what is in these images is not known; give their objects {WAY_OUT}.")
    if config.image_folder is None and annotations is not None:
        raise BadInput(f"--annotations {annotations}: give the folder of these images too (--image-folder).")
    if annotations is None:
        from probes.subjects import Item
        from probes.subjects.bundled import bundled
        from probes.subjects.emoji import annotations as annotated

        own = bundled(config.subject)
        if own is None:
            raise BadInput(f"subject {config.subject}: it brings no images; give a folder (--image-folder) and their objects {WAY_OUT}.")
        drawn = own.scenes(config.images, split)
        return Shown(tuple(Item(scene.image_id, scene.image, config.prompt) for scene in drawn), annotated(drawn))
    from probes.subjects import items_in

    found = instances(annotations)
    items = numbered(items_in(config.image_folder, config.prompt)[: config.images], found, annotations)
    return Shown(tuple(items), of_these(found, {item.image_id for item in items}))


def instances(path: Path) -> dict[str, list]:
    """A file in COCO's instances format.

    Raises
    ------
    BadInput : it cannot be read, is something else, or names an object that CHAIR's words do not have
    """
    from analysis.words.words import synonyms

    try:
        found = json.loads(given_text(path))
        found = {name: list(found[name]) for name in ("images", "annotations", "categories")}
        known = {image["id"] for image in found["images"]}
        categories = {category["id"]: category["name"] for category in found["categories"]}
        wrong = [one for one in found["annotations"] if one["image_id"] not in known or one["category_id"] not in categories]
    except BadInput:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise BadInput(f"{path}: cannot be read as COCO's instances ({why}); give such a file (--annotations).") from error
    if wrong:
        raise BadInput(
            f"{path}: an object of image {wrong[0]['image_id']} has an image or a category that the file does not list; complete it."
        )
    if strange := sorted(str(name) for name in set(categories.values()) - synonyms().keys()):
        raise BadInput(f"{path}: {strange[0]!r} is none of CHAIR's words for COCO's objects; rename it, or leave it out.")
    return found


def numbered(items: "Sequence[Item]", annotations: Mapping[str, Sequence[Mapping]], path: Path) -> "list[Item]":
    """The images of a folder with the numbers that the annotations have for them: by file name, else by the number at its end.

    Raises
    ------
    BadInput : the annotations do not list an image, or list two files under one number
    """
    from probes.subjects.folder import trailing_number

    by_name = {Path(str(image["file_name"])).name: image["id"] for image in annotations["images"] if image.get("file_name")}
    by_number = {}
    for image in annotations["images"]:
        name = image.get("file_name")
        if name is None or trailing_number(Path(str(name)).stem) == image["id"]:
            by_number[image["id"]] = image["id"]
    found = [by_name.get(Path(item.image).name, by_number.get(trailing_number(Path(item.image).stem))) for item in items]
    lost = [item for item, number in zip(items, found, strict=True) if number is None]
    if lost:
        raise BadInput(
            f"{path}: does not list {Path(lost[0].image).name} ({len(lost)} of {len(items)} images); add it, or remove the image."
        )
    if twice := [number for number in found if found.count(number) > 1]:
        raise BadInput(f"{path}: lists two of the images under the number {twice[0]}; give each its own.")
    return [replace(item, image_id=number) for item, number in zip(items, found, strict=True)]


def of_these(annotations: Mapping[str, Sequence[Mapping]], images: set[int]) -> dict[str, list]:
    """The annotations of these images alone."""
    return {
        "images": [image for image in annotations["images"] if image["id"] in images],
        "annotations": [one for one in annotations["annotations"] if one["image_id"] in images],
        "categories": list(annotations["categories"]),
    }
