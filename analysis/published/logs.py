"""The caption logs of a folder, and the table that says of each which model wrote it by which method."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.command.cli import BadInput
from probes.command.values import given_text

TABLE = "logs.csv"
NEEDED = ("file", "model", "method")
FURTHER = ("settings", "repository", "path", "licence")
BASELINE = "greedy"
"""The method that others of the same model and repository are compared with, as the table names it."""
UNLICENSED = "none"
"""How a licence begins that leaves others nothing: of such a log measures are kept, and nothing by caption."""


@dataclass(frozen=True)
class Log:
    """One log of captions.

    Attributes
    ----------
    name : the file's name without its ending; unique
    file : where it lies
    model, method, settings : who wrote the captions, and how
    repository, path, licence : where the log was published, and under which licence
    """

    name: str
    file: Path
    model: str
    method: str
    settings: str = ""
    repository: str = ""
    path: str = ""
    licence: str = ""

    @property
    def family(self) -> str:
        """Model and repository: what shares its images and its baseline."""
        return " · ".join(part for part in (self.model, self.repository) if part)

    @property
    def open(self) -> bool:
        """Whether what is derived from single captions may be kept."""
        return not self.licence.lower().startswith(UNLICENSED)

    def as_dict(self) -> dict[str, str]:
        """What is kept of it; where it lies on a disk is no part of it."""
        return {name: getattr(self, name) for name in ("name", "model", "method", *FURTHER)}


def read_logs(folder: Path, table: Path | None = None) -> list[Log]:
    """The logs of a folder by its table; without one, each file or folder in it is a log, and its name the method.

    Parameters
    ----------
    folder : of the logs
    table : CSV with the columns `NEEDED` and, if they are known, `FURTHER`; None: `TABLE` in the folder or beside it, if it is there

    Raises
    ------
    BadInput : no such folder, no log, a table that lacks a column or a value, or names a file twice or one that is not there
    """
    if not folder.is_dir():
        raise BadInput(f"--captions {folder}: there is no such folder; give the folder that holds the logs.")
    table = table or next((path for path in (folder / TABLE, folder.parent / TABLE) if path.is_file()), None)
    logs = _listed(folder, table) if table is not None else _found(folder)
    if not logs:
        raise BadInput(f"--captions {folder}: holds no log; give the folder that holds the logs.")
    names = [log.name for log in logs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"{table or folder}: {twice[0]!r} is there twice; give each log its own name.")
    return logs


def baselines(logs: Sequence[Log]) -> dict[str, Log]:
    """By family, its baseline; a family without one is not there.

    Raises
    ------
    BadInput : a family has two
    """
    found: dict[str, Log] = {}
    for log in logs:
        if log.method == BASELINE and log.family in found:
            raise BadInput(f"{log.name} and {found[log.family].name} are both the {BASELINE} log of {log.family}; keep one in the table.")
        if log.method == BASELINE:
            found[log.family] = log
    return found


def _found(folder: Path) -> list[Log]:
    files = sorted(path for path in folder.iterdir() if path.is_dir() or path.suffix.lower() in (".jsonl", ".json", ".csv", ".tsv"))
    return [Log(path.stem, path, "", path.stem) for path in files if path.name != TABLE and not path.name.startswith(".")]


def _listed(folder: Path, table: Path) -> list[Log]:
    try:
        rows = list(csv.DictReader(given_text(table, "utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(
            f"{table}: cannot be read as a table ({type(error).__name__}); give CSV with the columns {', '.join(NEEDED)}."
        ) from None
    logs = []
    for number, row in enumerate(rows, 2):
        if missing := [name for name in NEEDED if not row.get(name)]:
            raise BadInput(f"{table}, row {number}: lacks {missing[0]}; the columns {', '.join(NEEDED)} are needed.")
        file = folder / row["file"]
        if not file.exists():
            raise BadInput(f"{table}, row {number}: {file} is not there; remove the row, or add the file.")
        told = {name: row.get(name) or "" for name in FURTHER}
        logs.append(Log(file.stem if file.is_file() else file.name, file, row["model"], row["method"], **told))
    return logs
