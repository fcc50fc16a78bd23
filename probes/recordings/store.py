"""A folder of recordings: what lies in it, whether it is whole, and whether it belongs to this run.

OUT/<regime>/recording.json            settings that all arms share, sink channels included
OUT/<regime>/<arm>/arm.json            the arm's own options
OUT/<regime>/<arm>/<image_id>.nc       one recording
"""

import json
import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from probes.command.cli import BadInput, Notice
from probes.command.files import sweep, write_bytes
from probes.command.strict_json import as_plain, json_text
from probes.command.terminal import printable
from probes.recordings.netcdf import Part, TornFile, read_part, write
from probes.recordings.schema import as_dataset

log = logging.getLogger("probes")


@dataclass(frozen=True)
class RecordingStore:
    """The recordings of one regime on disk; `folder` is OUT/<regime>, or None for a run that keeps nothing.

    A second run into the same folder finds what is whole and redoes the rest; its settings must be the same.
    """

    folder: Path | None

    def open(self, settings: Mapping[str, Any], arms: Mapping[str, Any]) -> None:
        """Compare this run's settings with what lies here.

        Raises
        ------
        BadInput : another run with other settings was here; nothing is changed
        """
        for arm in arms:
            if not re.fullmatch(r"[\w.+=-]+", arm) or arm.startswith("."):
                raise BadInput(f"arm names must be fit for a folder (letters, digits, _ . + = -); got {arm!r}.")
        if self.folder is None:
            return
        self._compare(self.folder / "recording.json", settings)
        for arm, options in arms.items():
            self._compare(self.folder / arm / "arm.json", {"arm": arm, "options": options})
            sweep(self.folder / arm)

    def settle(self, settings: Mapping[str, Any], arms: Mapping[str, Any]) -> None:
        """Write down the settings of the run that begins; those that lie here already stay."""
        if self.folder is None:
            return
        _keep(self.folder / "recording.json", settings)
        for arm, options in arms.items():
            _keep(self.folder / arm / "arm.json", {"arm": arm, "options": options})

    def settings(self) -> dict[str, Any] | None:
        """What an earlier run wrote down; None if there was none."""
        return None if self.folder is None else _load(self.folder / "recording.json")

    def find(self, arm: str, image_id: int, data_hash: str) -> xr.Dataset | None:
        """The recording of an image, if it lies here whole; a torn one is named in the log and counts as missing.

        Raises
        ------
        BadInput : it was made from another image or prompt
        """
        part = self.part(arm, image_id, data_hash)
        return None if part is None else as_dataset(*part)

    def part(self, arm: str, image_id: int, data_hash: str, variables: Sequence[str] | None = None) -> Part | None:
        """`find` without a dataset around it; of the variables only these, if given.

        Raises
        ------
        BadInput : it was made from another image or prompt
        """
        path = self.path(arm, image_id)
        if path is None or not path.exists():
            return None
        try:
            found = read_part(path, variables)
        except TornFile as error:
            log.warning("%s", printable(str(error)))
            return None
        if found.attributes.get("data_hash") != data_hash:
            raise BadInput(f"{path} was recorded from another image or prompt with the same number; give another folder (--out).")
        return found

    def add(self, arm: str, image_id: int, recording: xr.Dataset) -> None:
        """Write one recording, whole or not at all."""
        path = self.path(arm, image_id)
        if path is not None:
            write(path, recording)

    def path(self, arm: str, image_id: int) -> Path | None:
        """Where the recording of an image lies."""
        return None if self.folder is None else self.folder / arm / f"{image_id}.nc"

    def _compare(self, path: Path, wanted: Mapping[str, Any]) -> None:
        there = _load(path)
        for name, value in as_plain(wanted).items():
            if there is not None and there.get(name) != value:
                raise BadInput(
                    f"{path.parent} was recorded with {_apart(name, there.get(name), value)}; "
                    "give another folder (--out) or the old value. Nothing was overwritten."
                )


def _apart(name: str, there: Any, wanted: Any) -> str:
    """How two values of a setting differ; of lists of names, which are cut when shown whole, the names that one of them lacks."""
    if all(isinstance(value, list) and all(isinstance(one, str) for one in value) for value in (there, wanted)):
        less, more = ([one for one in a if one not in b] for a, b in ((wanted, there), (there, wanted)))
        told = [f"{word} {', '.join(names)}" for word, names in (("without", less), ("and", more)) if names]
        if told:
            return f"other {name} ({', '.join(told)})"
    return f"{name} = {_shown(there)}, not {_shown(wanted)}"


def _keep(path: Path, content: Mapping[str, Any]) -> None:
    if not path.exists():
        write_bytes(path, (json_text(content, indent=1, sort_keys=True) + "\n").encode())


def _load(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise BadInput(f"{path} is damaged; remove the folder {path.parent} or give another one (--out).") from None


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def tell_older(commits: Iterable[str], now: str, folder: Path | None) -> None:
    """Warn that recordings were made by another commit of the code than `now`, if any were.

    Warns
    -----
    Notice
    """
    older = Counter(commit for commit in commits if commit != now)
    if older:
        warnings.warn(
            f"{older.total()} recordings in {folder} are of another commit of the code ({_commits(older)}; this is "
            f"{_commits([now])}) and were reused; remove the folder to record them anew.",
            Notice,
            stacklevel=3,
        )


def _commits(names: Iterable[str]) -> str:
    return ", ".join(re.sub(r"\b([0-9a-f]{10})[0-9a-f]{30}\b", r"\1", name) for name in sorted(names))
