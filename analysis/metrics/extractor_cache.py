"""A cache of an extractor model's replies, line by line in a file, so that a rerun or a resumed run repeats no request."""

import json
import os
import threading
from pathlib import Path

from analysis.datasets.files import json_lines
from probes.command.cli import BadInput

BEGINNING = b'{"key": "'


class ReplyCache:
    """Lists of objects by the hash of their question, in a JSON-lines file; open within a `with` block.

    A line of ours that a killed process left unfinished is dropped; no other file is changed.
    Lines are whole writes at the file's end, so that two runs can share a file.

    Parameters
    ----------
    path
        Made if missing; None keeps nothing beyond the block.

    Raises
    ------
    BadInput : a line, other than an unfinished last one, is none of ours
    """

    def __init__(self, path: str | os.PathLike | None):
        self._path = None if path is None else Path(path)
        self._found: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "ReplyCache":
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
            try:
                self._drop_torn()
                self._found = dict(_read(self._path))
            except BaseException:
                self._file.close()
                raise
        return self

    def __exit__(self, *reason: object) -> None:
        if self._path is not None:
            self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __getitem__(self, key: str) -> list[str]:
        return self._found[key]

    @property
    def told(self) -> str:
        """Where the work is that was done before a failure."""
        if self._path is None:
            return "nothing is kept: name a file for the answers, so that a rerun asks only for the rest"
        return f"what it answered before is kept in {self._path}, the same command goes on from there"

    def put(self, key: str, objects: list[str]) -> None:
        """Keep the objects; safe from several threads."""
        line = json.dumps({"key": key, "objects": objects}) + "\n"
        with self._lock:
            self._found[key] = objects
            if self._path is not None:
                self._file.write(line.encode())
                self._file.flush()

    def _drop_torn(self) -> None:
        content = self._path.read_bytes() if self._path is not None else b""
        torn = content[content.rfind(b"\n") + 1 :]
        if torn and torn.startswith(BEGINNING[: len(torn)]):
            self._file.truncate(len(content) - len(torn))


def _read(path: Path) -> list[tuple[str, list[str]]]:
    lines = []
    for number, found in json_lines(path):
        key, objects = found.get("key"), found.get("objects")
        if not isinstance(key, str) or not isinstance(objects, list) or not all(isinstance(name, str) for name in objects):
            raise BadInput(f"{path}, line {number}: no kept answer of a model; name another file, or remove this one.")
        lines.append((key, objects))
    return lines
