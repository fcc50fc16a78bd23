"""JSON and names of files from outside: what cannot be used is told in one line that says where."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from probes.cli import BadInput

LONGEST = 100_000
"""Characters of the longest answer that is read; a caption of 512 tokens has about 2,500."""


def json_lines(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers (from 1) and objects of a JSON-lines file; blank lines are passed over.

    Raises
    ------
    BadInput : no such file, no UTF-8, a line that is no JSON object or holds NaN
    """
    path = Path(path)
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            found = _parsed(line, f"{path}, line {number}")
            if not isinstance(found, dict):
                raise BadInput(f"{path}, line {number}: a JSON object is needed, this is {_kind(found)}.")
            yield number, found


def json_document(path: str | Path) -> Any:
    """What a JSON file holds, read whole.

    Raises
    ------
    BadInput : no such file, no UTF-8, no JSON, or NaN in it
    """
    path = Path(path)
    with _opened(path) as file:
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
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        value = int(value)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        shown = "it is missing" if name not in found else f"got {str(value)[:40]!r}"
        raise BadInput(f"{where}: {name!r} must be a whole number from 0 on; {shown}.")
    return value


def inside(folder: str | Path, name: str) -> Path:
    """The path of a file that a data set names within a folder.

    Raises
    ------
    BadInput : the name leads out of the folder
    """
    folder = Path(folder)
    path = folder / name
    if not name or "\0" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{folder}: the file name {name[:80]!r} leads out of this folder; mend the file that names it.")
    return path


def _opened(path: Path) -> BinaryIO:
    if path.is_dir():
        raise BadInput(f"{path}: this is a folder, a file is needed.")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; check the path.") from None


def _parsed(content: bytes, where: str) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refused)
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


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
