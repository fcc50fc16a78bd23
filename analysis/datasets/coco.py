"""COCO's instances and captions as their owners distribute them, hundreds of megabytes: parsed once, then read from a compact cache.

The cache lies in $XDG_CACHE_HOME/kvsmooth (~/.cache/kvsmooth), or where the caller says, and is named by a hash of the files' content, so
that a changed file is never answered from an old cache. Ids of annotations do not matter, as in the public CHAIR code: an annotation that
is there twice counts as one object, a caption that is there twice is kept twice.
"""

import os
import sqlite3
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from analysis.datasets.annotation_set import category_nodes
from analysis.datasets.coco_cache import cached, reading
from analysis.datasets.coco_files import alone, annotation_files
from analysis.datasets.coco_words import NodeStore, parts
from analysis.words.readers import Reader
from probes.command.cli import BadInput, Notice


@dataclass(frozen=True)
class Coco:
    """COCO's annotations; made by `open_coco`, picklable.

    An image is known if a file lists it or annotates it; what is asked of unknown ids leaves them out.

    Attributes
    ----------
    key : a hash of the files
    path : of the cache
    has_captions : whether people's captions are there; without them the ground truth is that of the instances alone
    """

    key: str
    path: Path
    has_captions: bool = True

    def ids(self) -> list[int]:
        """The ids of all known images, sorted."""
        return sorted(row[0] for row in self._rows("SELECT id FROM image"))

    def file_name(self, image_id: int) -> str:
        """The image's file as the instances (else the captions) name it; join it to a folder by `analysis.datasets.files.inside`.

        Raises
        ------
        BadInput : no such image, or only annotations of it
        """
        rows = self._of([image_id], "SELECT file_name FROM image WHERE id")
        if not rows or rows[0][0] is None:
            what = "annotated, but listed in no file" if rows else "not in these annotations"
            raise BadInput(f"the image {image_id} is {what}: its file is not known; leave it out.")
        return rows[0][0]

    def instances(self, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """The distinct categories annotated in each image, crowds included, in the order of the file."""
        rows = self._of(ids, "SELECT id, categories FROM image WHERE id")
        return {image_id: tuple(self._categories[int(number)] for number in numbers.split()) for image_id, numbers in rows}

    def captions(self, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """People's captions of each image, in the order of the file; none is an empty tuple."""
        asked = list(ids)
        found: dict[int, list[str]] = {image_id: [] for (image_id,) in self._of(asked, "SELECT id FROM image WHERE id")}
        for image_id, position, text in self._of(asked, "SELECT image_id, position, text FROM caption WHERE image_id"):
            found[image_id].insert(position, text)
        return {image_id: tuple(texts) for image_id, texts in found.items()}

    def truth(self, ids: Iterable[int], reader: Reader) -> dict[int, frozenset[str]]:
        """CHAIR's objects of each image: the nodes of its instances, and of people's captions through the reader.

        What captions name is kept in the cache by the reader's mode and tables, a few hundred images at a time; an interrupt keeps it.

        Raises
        ------
        BadInput : a category that is none of COCO's
        """
        annotated = self.instances(ids)
        table = {name: category_nodes([name], reader.vocabulary) for names in annotated.values() for name in names}
        store = NodeStore(self.path.with_name(f"{self.path.stem}-words-{reader.mode}-{reader.key}.sqlite"))
        named = store.nodes(list(annotated), self.captions, reader) if self.has_captions else {}
        return {i: named.get(i, frozenset()).union(*(table[name] for name in names)) for i, names in annotated.items()}

    @cached_property
    def _categories(self) -> dict[int, str]:
        return dict(self._rows("SELECT id, name FROM category"))

    def _rows(self, query: str, values: Iterable[int] = ()) -> list[tuple]:
        try:
            with reading(self.path) as connection:
                return connection.execute(query, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise BadInput(f"{self.path}: the cache cannot be read ({error}); remove it, and run the same command again.") from None

    def _of(self, ids: Iterable[int], query: str) -> list[tuple]:
        # what is no number of sqlite's is in no annotations either
        asked = [image_id for image_id in dict.fromkeys(ids) if abs(image_id) < 1 << 63]
        return [row for part in parts(asked) for row in self._rows(f"{query} IN ({','.join('?' * len(part))})", part)]


def open_coco(folder: str | Path, cache: str | Path | None = None, progress: bool | None = None) -> Coco:
    """The annotations of a folder; the first time all files are parsed, which takes a minute or two for COCO 2014.

    Parameters
    ----------
    folder : holds instances_*.json, or a folder `annotations` with them; captions_*.json beside them are read too
    cache : folder of caches; None is $XDG_CACHE_HOME/kvsmooth or ~/.cache/kvsmooth
    progress : show bytes read; None shows them on a terminal

    Raises
    ------
    BadInput : no file of instances, or a file that cannot be used, with the place in it
    """
    files = [(kind, path) for kind in ("instances", "captions") for path in annotation_files(folder, kind)]
    captions = any(kind == "captions" for kind, _ in files)
    if not captions:
        line = f"{folder}: no captions_*.json beside the instances; the truth is that of the instances alone, CHAIR comes out higher."
        warnings.warn(line, Notice, stacklevel=2)
    for path, without in alone(path for _, path in files) if captions else ():
        line = f"{path}: no {without} of these images beside it; the truth lacks them, CHAIR comes out higher."
        warnings.warn(line, Notice, stacklevel=2)
    key, path = cached(files, default_cache() if cache is None else Path(cache), progress)
    return Coco(key, path, captions)


def default_cache() -> Path:
    """Where caches lie unless the caller says otherwise.

    Raises
    ------
    BadInput : the user has no home folder
    """
    # the standard takes relative paths for unset
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "kvsmooth"
    except RuntimeError:  # a user whom the system does not know, as in containers
        raise BadInput("there is no home folder for the cache of COCO's annotations; name a folder by --cache or XDG_CACHE_HOME.") from None
