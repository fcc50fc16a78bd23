"""COCO's annotation files: which of a folder's files count, and their rows one by one, so that no file is ever held whole.

Files of COCO 2014 (train and val) are taken if any is there, and no others; else every file of that kind. Instances and captions are chosen
apart from each other: instances of 2017 beside captions of 2014, as PAI has them, are such a choice.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from analysis.datasets.files import opened
from probes.command.cli import BadInput

SECTIONS = ("images", "annotations", "categories")
CHUNK = 1 << 18
DEEPEST = 100
"""Lists and objects in one another; COCO's files have six, and a parser's stack is not to be had for the asking."""


def annotation_files(folder: str | Path, kind: str) -> list[Path]:
    """The files of a kind ("instances", "captions") that count: in the folder, or where it has no instances, in its `annotations`.

    Raises
    ------
    BadInput : no such folder, or no file of instances in it
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "this is a file, give the folder that holds it" if folder.exists() else "there is no such folder; check the path"
        raise BadInput(f"{folder}: {what}.")
    for place in (folder, folder / "annotations"):
        if any(place.glob("instances_*.json")):
            of_2014 = [path for part in ("train", "val") if _stands(path := place / f"{kind}_{part}2014.json")]
            return of_2014 or sorted(place.glob(f"{kind}_*.json"))
    raise BadInput(f"{folder}: no instances_*.json here or in annotations/; give the folder of COCO's annotation files.")


def alone(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Files of 2014 whose images lack the other kind, and the name of the file that is missing."""
    names = {path.name: path for path in files}
    for part in ("train", "val"):
        pair = [f"{kind}_{part}2014.json" for kind in ("instances", "captions")]
        years = [any(name.startswith(kind) and "2014" in name for name in names) for kind in ("instances", "captions")]
        for here, other in (pair, pair[::-1]):
            if here in names and other not in names and all(years):
                yield names[here], other


def _stands(path: Path) -> bool:
    # a link that leads nowhere is told when it is opened, not passed over
    return path.exists() or path.is_symlink()


def file_hash(path: Path, advance: Callable[[int], Any] = int) -> str:
    """The SHA-256 of a file's content; `advance` is told the bytes of each part read.

    Raises
    ------
    BadInput : no file
    """
    made = hashlib.sha256()
    with opened(path) as file:
        while part := file.read(1 << 20):
            made.update(part)
            advance(len(part))
    return made.hexdigest()


@dataclass
class CountedFile:
    """A file that is read once from its beginning: bytes are counted and hashed as they pass."""

    file: BinaryIO
    advance: Callable[[int], Any] = int
    made: Any = field(default_factory=hashlib.sha256)

    def read(self, size: int = -1) -> bytes:
        """The next bytes; a byte order mark at the beginning is passed over."""
        first, part = self.file.tell() == 0, self.file.read(size)
        self.made.update(part)
        self.advance(len(part))
        return part.removeprefix(b"\xef\xbb\xbf") if first and size else part


@dataclass
class AnnotationFile:
    """One file's rows, streamed; `hash` is that of the bytes read, once all are.

    Parameters
    ----------
    path
    kind : "instances" or "captions"; only the former have categories
    advance : is told the bytes of each part read
    """

    path: Path
    kind: str
    advance: Callable[[int], Any] = int
    hash: str = ""

    def rows(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Section, number in it (from 0) and the plain values of each row; lists and objects inside a row, such as polygons, are not kept.

        Raises
        ------
        BadInput : no file, cut off, no JSON, no UTF-8, or not COCO's schema
        """
        seen = dict.fromkeys(SECTIONS, 0)
        found: set[str] = set()
        with opened(self.path) as file:
            counted = CountedFile(file, self.advance)
            try:
                for section, row in self._walk(counted, found):
                    yield section, seen[section], row
                    seen[section] += 1
            except (ijson.JSONError, UnicodeDecodeError) as error:
                raise BadInput(f"{self.path}: {_complaint(error)} (after {_places(seen)}).") from None
            self.hash = counted.made.hexdigest()
        needed = [name for name in ("images", "annotations", "categories") if name not in found]
        if self.kind == "captions" and "categories" in needed:
            needed.remove("categories")
        if needed:
            raise BadInput(f"{self.path}: there is no list {needed[0]!r}; this is no file of COCO's {self.kind}.")

    def _walk(self, file: CountedFile, found: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        # events rather than ijson's items: one pass gives all sections, and no polygon becomes a list
        depth, section, key, row = 0, "", "", {}
        for event, value in ijson.basic_parse(file, use_float=True, buf_size=CHUNK):
            if event == "number" or event == "string" or event == "boolean" or event == "null":
                if depth == 3:
                    if key in row:
                        raise BadInput(f"{self.path}: a row of {section!r} names {key[:40]!r} twice; mend the file.")
                    row[key] = value
                elif depth < 3:
                    self._refuse(depth, section)
            elif event == "map_key":
                if depth == 1:
                    section = value
                elif depth == 3:
                    key = value
            elif event == "start_map" or event == "start_array":
                depth += 1
                self._check_shape(depth, event, section, found)
                if depth == 3:
                    row = {}
            else:
                if depth == 3 and section in SECTIONS:
                    yield section, row
                depth -= 1

    def _check_shape(self, depth: int, event: str, section: str, found: set[str]) -> None:
        if depth > DEEPEST:
            raise BadInput(f"{self.path}: no usable JSON, it is nested more than {DEEPEST} deep.")
        if depth == 1 and event != "start_map":
            raise BadInput(f"{self.path}: a JSON object is needed, this is a list; is it one of COCO's annotation files?")
        if section in SECTIONS and ((depth == 2 and event != "start_array") or (depth == 3 and event != "start_map")):
            raise BadInput(f"{self.path}: {section!r} must be a list of objects; this is no file of COCO's {self.kind}.")
        if depth == 2 and section in SECTIONS:
            if section in found:
                raise BadInput(f"{self.path}: {section!r} stands there twice; mend the file.")
            found.add(section)

    def _refuse(self, depth: int, section: str) -> None:
        if depth == 0:
            raise BadInput(f"{self.path}: a JSON object is needed; is it one of COCO's annotation files?")
        if section in SECTIONS:
            raise BadInput(f"{self.path}: {section!r} must be a list of objects; this is no file of COCO's {self.kind}.")


def _complaint(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(error)  # bytes where what it cites of the file is no UTF-8
    if isinstance(error, UnicodeDecodeError) or "UTF8" in text or "utf-8" in text:
        return "no UTF-8; save the file as UTF-8"
    if "premature EOF" in text or "incomplete" in text.lower():
        return "the file is cut off; fetch it again"
    return f"no valid JSON: {text.splitlines()[0].strip().rstrip('.') if text.strip() else 'unreadable'}; fetch the file again"


def _places(seen: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in seen.items())
