"""Reads JSON and file names from outside; input that cannot be used is refused in one line that gives its place."""

import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from probes.command.cli import BadInput

LONGEST = 100_000
"""Characters of the longest answer that is read; a caption of 512 tokens has about 2,500."""
DIGITS = 18
"""Of the largest number that is read: more do not fit into the cache's integers, and no data set has such ids."""
GZIP = b"\x1f\x8b"

_LAST_DIGITS = re.compile(rf"(?<![0-9])([0-9]{{1,{DIGITS}}})(?:\.[A-Za-z]\w{{0,4}})*$")


def json_lines(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers (from 1) and objects of a JSON-lines file; blank lines are passed over.

    Raises
    ------
    BadInput : no such file, no UTF-8, a line that is no JSON object, holds NaN or names a field twice
    """
    path = Path(path)
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            if line.strip() == b"{":
                raise BadInput(f"{path}, line {number}: an object over several lines; write one object a line, or one list of objects.")
            found = _parsed(line, f"{path}, line {number}")
            if not isinstance(found, dict):
                raise BadInput(f"{path}, line {number}: a JSON object is needed, this is {_kind(found)}.")
            yield number, found


def json_objects(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each object stands, and the object, of JSON lines or of one JSON list: a file that begins with "[" is one list.

    Raises
    ------
    BadInput : no such file, or something in it that is no JSON object
    """
    path = Path(path)
    if not _is_list(path):
        yield from ((f"{path}, line {number}", found) for number, found in json_lines(path))
        return
    for number, found in enumerate(json_document(path), 1):
        if not isinstance(found, dict):
            raise BadInput(f"{path}, item {number}: a JSON object is needed, this is {_kind(found)}.")
        yield f"{path}, item {number}", found


def json_document(path: str | Path) -> Any:
    """What a JSON file holds, read whole.

    Raises
    ------
    BadInput : no such file, no UTF-8, no JSON, NaN or a field twice in it
    """
    path = Path(path)
    with opened(path) as file:
        return _parsed(file.read(), str(path))


def text_of(found: dict[str, Any], name: str, where: str) -> str:
    """The text of a field.

    Raises
    ------
    BadInput : it is missing, no text, or longer than `LONGEST`
    """
    value = found.get(name)
    if not isinstance(value, str):
        raise BadInput(f"{where}: {name!r} must be a text; it is {'missing' if name not in found else _kind(value)}.")
    if len(value) > LONGEST:
        raise BadInput(f"{where}: {name!r} has {len(value):,} characters, at most {LONGEST:,} are read; shorten or remove it.")
    return value


def number_of(found: dict[str, Any], name: str, where: str) -> int:
    """The whole number, from 0 on, of a field; digits in a text are taken too, as some files have them.

    Raises
    ------
    BadInput : it is missing or no such number
    """
    value = found.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= DIGITS:
        value = int(value)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**DIGITS:
        shown = "it is missing" if name not in found else f"got {str(value)[:40]!r}"
        large = f" of at most {DIGITS} digits" if type(value) is int and value > 0 else ""
        raise BadInput(f"{where}: {name!r} must be a whole number from 0 on{large}; {shown}.")
    return value


def number_in(name: str) -> int | None:
    """The number at the end of a file's name: "val2014/COCO_val2014_000000310196.jpg" is image 310196; None where there is none.

    A text that is itself a number, but no whole one from 0 on ("-5", "1.5"), is no name.
    """
    stem = name.replace("\\", "/").rpartition("/")[2].partition("?")[0][-200:]
    try:
        float(stem)
    except ValueError:
        pass
    else:
        return int(stem) if stem.isascii() and stem.isdigit() and len(stem) <= DIGITS else None
    found = _LAST_DIGITS.search(stem)
    return int(found[1]) if found else None


def inside(folder: str | Path, name: str) -> Path:
    """The path of a file that a data set names within a folder.

    Raises
    ------
    BadInput : the name leads out of the folder, or is none that a file can have
    """
    folder = Path(folder)
    path = folder / name
    try:
        # Path.resolve raises where links go in a circle; what is wrong with such a file is told by who opens it
        leads_out = not name or not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
        too_long = max(map(len, os.fsencode(path).split(b"/"))) > 255
    except ValueError:  # half a character, or none at all
        leads_out = too_long = True
    if leads_out or too_long:
        raise BadInput(f"{folder}: the file name {name[:80]!r} leads out of this folder or is none; mend the file that names it.")
    return path


def image_inside(folder: str | Path, name: str, way_out: str) -> Path:
    """The path of an image that a data set names within a folder, before anything waits for it: a pipe never ends.

    Parameters
    ----------
    way_out : what to do where it is not there

    Raises
    ------
    BadInput : the name leads out of the folder, or there is no such file, or a folder, a pipe or a circle of links in its place
    """
    from probes.subjects.item import check_file  # here: it comes with torch, which scoring does not need

    path = inside(folder, name)
    if not os.path.lexists(path):
        raise BadInput(f"{path}: there is no such image; {way_out}.")
    check_file(path)
    return path


def opened(path: Path) -> BinaryIO:
    """A file for reading bytes; it can be read again, which a pipe cannot.

    Raises
    ------
    BadInput : no such file, a folder, a pipe or a device, or a compressed file
    """
    if path.is_dir():
        raise BadInput(f"{path}: this is a folder, a file is needed.")
    if path.exists() and not path.is_file():
        raise BadInput(f"{path}: this is a pipe or a device, which cannot be read twice; write it into a file first.")
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; check the path.") from None
    if file.read(len(GZIP)) == GZIP:
        file.close()
        raise BadInput(f"{path}: this file is compressed (gzip); unpack it first.")
    file.seek(0)
    return file


def _is_list(path: Path) -> bool:
    with opened(path) as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def _parsed(content: bytes, where: str) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refused, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise BadInput(f"{where}: no UTF-8 (byte {error.start}); save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}: no valid JSON ({error.msg}, column {error.colno}); the file may be cut off.") from None
    except RecursionError:
        raise BadInput(f"{where}: no usable JSON, it is nested too deeply.") from None
    except ValueError as error:
        raise BadInput(f"{where}: {error}") from None


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number that can be used; mend or remove it.")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} stands there twice in one object; remove one of the two.")
    return found


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
