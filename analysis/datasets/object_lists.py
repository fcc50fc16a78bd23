"""What is in each image as a list of names: JSON lines `{"image_id", "objects"}`, POPE's own format and that of CHAIR's ground truth.

The list is the whole truth: no annotations and no people's captions stand behind it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from analysis.datasets.annotation_set import category_nodes
from analysis.datasets.coco_files import file_hash
from analysis.datasets.files import json_objects
from analysis.datasets.image_names import file_of, image_of
from analysis.words.readers import Reader
from probes.command.cli import BadInput


@dataclass(frozen=True)
class ObjectLists:
    """Lists of objects; made by `open_object_lists`.

    Attributes
    ----------
    path : of the file
    key : a hash of its content
    objects : by image, the names in the order of the file
    files : by image, the name of its file, where the file says one
    """

    path: Path
    key: str
    objects: Mapping[int, tuple[str, ...]]
    files: Mapping[int, str] = field(default_factory=dict)

    def ids(self) -> list[int]:
        """The ids of all images, sorted."""
        return sorted(self.objects)

    def file_name(self, image_id: int) -> str:
        """The image's file.

        Raises
        ------
        BadInput : the file names none for this image
        """
        if image_id not in self.files:
            raise BadInput(f"{self.path}: names no file for the image {image_id}; add it as file_name.")
        return self.files[image_id]

    def instances(self, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """The distinct names of each image; ids that have no line are left out."""
        return {i: tuple(dict.fromkeys(self.objects[i])) for i in ids if i in self.objects}

    def captions(self, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """None of any image."""
        return {i: () for i in ids if i in self.objects}

    def truth(self, ids: Iterable[int], reader: Reader) -> dict[int, frozenset[str]]:
        """The objects of each image, by the reader's synonym table.

        Raises
        ------
        BadInput : a name that the table does not have
        """
        found = {}
        for image_id, names in self.instances(ids).items():
            try:
                found[image_id] = category_nodes(names, reader.vocabulary)
            except BadInput as error:
                raise BadInput(f"{self.path}, image {image_id}: {error}") from None
        return found


def open_object_lists(path: Path) -> ObjectLists:
    """The lists of a file.

    Raises
    ------
    BadInput : no such file, a line without image or list of names, an image twice, or no line at all
    """
    found: dict[int, tuple[str, ...]] = {}
    files: dict[int, str] = {}
    for where, line in json_objects(path):
        image_id, names = image_of(line, where), line.get("objects")
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise BadInput(f"{where}: 'objects' must be a list of names.")
        if image_id in found:
            raise BadInput(f"{where}: image {image_id} was there before; keep one line an image.")
        found[image_id] = tuple(names)
        if file := file_of(line):
            files[image_id] = file
    if not found:
        raise BadInput(f'{path}: holds no list of objects; write lines {{"image_id": 1, "objects": ["dog"]}}.')
    return ObjectLists(path, file_hash(path), found, files)
