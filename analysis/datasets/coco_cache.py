"""COCO's annotations as one compact sqlite file: made once from the JSON files, named by a hash of their content, whole or not there.

An interrupted run leaves a temporary file that is never taken for a cache; two runs at once make the same file twice, and the later rename
wins. A cache that sqlite finds damaged, or that lacks its last row, is made again.
"""

import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from analysis.datasets.coco_files import AnnotationFile, file_hash
from analysis.datasets.files import DIGITS, number_of, text_of
from probes.command.cli import BadInput, Notice
from probes.command.files import atomic_write, sweep
from probes.command.provenance import digest

VERSION = 1
"""Of the tables below and of what is put into them; another version is another file."""
TOO_LARGE = 10**DIGITS
TABLES = """
CREATE TABLE image (id INTEGER PRIMARY KEY, file_name TEXT, categories TEXT);
CREATE TABLE caption (image_id INTEGER, position INTEGER, text TEXT, PRIMARY KEY (image_id, position)) WITHOUT ROWID;
CREATE TABLE category (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE whole (key TEXT, images INTEGER, captions INTEGER);
"""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file's connection, for reading only."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def cached(files: Sequence[tuple[str, Path]], folder: Path, progress: bool | None = None) -> tuple[str, Path]:
    """The key of the files' content, and the cache that holds it; made where it is not there.

    Parameters
    ----------
    files : kind ("instances", "captions") and path, in the order of reading
    folder : of caches
    progress : show bytes read; None shows them on a terminal

    Raises
    ------
    BadInput : a file that is not COCO's, or changes while it is read
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    hidden = not (sys.stderr.isatty() if progress is None else progress)
    with tqdm(total=sum(_size(path) for _, path in files), desc="annotations: hash", unit="B", unit_scale=True, disable=hidden) as bar:
        hashes = [file_hash(path, bar.update) for _, path in files]
    told = zip(files, hashes, strict=True)
    key = digest([str(VERSION), *(f"{kind} {path.name} {made}" for (kind, path), made in told)])
    place = folder / f"coco-{key}.sqlite"
    if place.exists() and not _is_whole(place, key):
        warnings.warn(f"{place}: this cache is damaged, it is made again.", Notice, stacklevel=2)
        place.unlink(missing_ok=True)
    if not place.exists():
        with tqdm(total=sum(_size(path) for _, path in files), desc="annotations: read", unit="B", unit_scale=True, disable=hidden) as bar:
            _make(place, key, files, hashes, bar.update)
    return key, place


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_whole(place: Path, key: str) -> bool:
    try:
        with reading(place) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
            told = connection.execute("SELECT key, images, captions FROM whole").fetchall()
            held = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("image", "caption")]
    except sqlite3.Error:
        return False
    return verdict == "ok" and told == [(key, *held)]


def _make(place: Path, key: str, files: Sequence[tuple[str, Path]], hashes: Sequence[str], advance: Callable[[int], Any]) -> None:
    try:
        with atomic_write(place) as temporary, closing(sqlite3.connect(temporary)) as connection:
            # nobody sees the file before it is whole, so a journal would protect nothing
            connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {TABLES}")
            contents = _Contents(connection)
            for (kind, path), made in zip(files, hashes, strict=True):
                contents.take(AnnotationFile(path, kind, advance), made)
            contents.close(key)
    except sqlite3.Error as error:
        raise BadInput(f"{place}: the cache cannot be written ({error}); make room, or choose another folder with --cache.") from None


@dataclass
class _Contents:
    """What the files hold, gathered: images and their categories in memory, captions in the file as they come."""

    connection: sqlite3.Connection
    names: dict[int, str] = field(default_factory=dict)
    listed: dict[str, dict[int, str]] = field(default_factory=lambda: {"instances": {}, "captions": {}})
    # a dict keeps the order of the annotations and each category once
    present: dict[int, dict[int, None]] = field(default_factory=dict)
    written: dict[int, int] = field(default_factory=dict)
    waiting: list[tuple[int, int, str]] = field(default_factory=list)

    def take(self, file: AnnotationFile, known_hash: str) -> None:
        """Take all rows of a file; the hash is what it had a moment ago."""
        # the categories come last in COCO's files: a category is looked up once they are known
        used: dict[int, int] = {}
        here: set[int] = set()
        for section, number, row in file.rows():
            where = f"{file.path}, {section}[{number}]"
            if section == "images":
                self._image(file.kind, _number(row, "id", where), text_of(row, "file_name", where), where)
            elif section == "categories":
                if file.kind == "instances":
                    here.add(self._category(_number(row, "id", where), text_of(row, "name", where), where))
            elif file.kind == "instances":
                category = _number(row, "category_id", where)
                used.setdefault(category, number)
                self.present.setdefault(_number(row, "image_id", where), {})[category] = None
            else:
                self._caption(_number(row, "image_id", where), text_of(row, "caption", where))
        for category in used.keys() - here:
            raise BadInput(f"{file.path}, annotations[{used[category]}]: category {category} is none of this file's categories; mend it.")
        if file.hash != known_hash:
            raise BadInput(f"{file.path}: the file changed while it was read; run the same command again.")

    def close(self, key: str) -> None:
        """Write what is gathered, and the row that says that all is there."""
        self._flush()
        names = self.listed["captions"] | self.listed["instances"]
        ids = sorted(names.keys() | self.present.keys() | self.written.keys())
        rows = ((i, names.get(i), " ".join(map(str, self.present.get(i, ())))) for i in ids)
        self.connection.executemany("INSERT INTO image VALUES (?, ?, ?)", rows)
        self.connection.executemany("INSERT INTO category VALUES (?, ?)", self.names.items())
        self.connection.execute("INSERT INTO whole VALUES (?, ?, ?)", (key, len(ids), sum(self.written.values())))
        self.connection.commit()

    def _image(self, kind: str, image_id: int, name: str, where: str) -> None:
        # files of instances and of captions may be of different years, which name the same image differently: instances decide
        if self.listed[kind].setdefault(image_id, name) != name:
            raise BadInput(
                f"{where}: the image {image_id} is {name[:80]!r} here and {self.listed[kind][image_id][:80]!r} before; keep one."
            )

    def _category(self, category: int, name: str, where: str) -> int:
        if self.names.setdefault(category, name) != name:
            raise BadInput(f"{where}: category {category} is {name[:80]!r} here and {self.names[category][:80]!r} before; keep one.")
        return category

    def _caption(self, image_id: int, text: str) -> None:
        position = self.written.get(image_id, 0)
        self.written[image_id] = position + 1
        self.waiting.append((image_id, position, text))
        if len(self.waiting) >= 10_000:
            self._flush()

    def _flush(self) -> None:
        self.connection.executemany("INSERT INTO caption VALUES (?, ?, ?)", self.waiting)
        self.waiting.clear()


def _number(row: dict[str, Any], name: str, where: str) -> int:
    value = row.get(name)
    # nearly all are plain numbers, and there are millions of them
    return value if type(value) is int and 0 <= value < TOO_LARGE else number_of(row, name, where)
