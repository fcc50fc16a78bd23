"""Files appear whole or not at all; and which of them a command has written."""

import os
import socket
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

_WRITTEN: ContextVar[dict[Path, None] | None] = ContextVar("written", default=None)
NAMED = 8
"""Files of a folder that are told by name; more are counted."""


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes that name when the block ends, and is removed when the block raises.

    Readers see the old file or the new one, never a part. Missing folders are made. A process that is killed leaves its
    temporary file behind, which `sweep` of a later run removes.

    Raises
    ------
    OSError : the system refuses (a full disk, a folder that may not be written); it names `path`
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{_owner()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
        note(path)
    except BaseException as error:
        with suppress(FileNotFoundError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            error.filename = str(path)  # the name that the user knows; a write to a full disk names none at all
        raise


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write `content` atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def writable(folder: str | os.PathLike) -> None:
    """Make a folder where there is none, and try to write in it: what may not be written is found out before the work, not after it.

    Raises
    ------
    OSError : the folder cannot be made or written; it names it
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        error.filename = str(folder)  # the name that the user knows
        raise


@contextmanager
def noted() -> Iterator[dict[Path, None]]:
    """Within the block, the files that this process writes are noted, each once, in their order."""
    written: dict[Path, None] = {}
    token = _WRITTEN.set(written)
    try:
        yield written
    finally:
        _WRITTEN.reset(token)


def note(path: Path) -> None:
    """A file was written; those of `atomic_write` say so themselves."""
    written = _WRITTEN.get()
    if written is not None:
        written[path] = None


def by_folder(written: Iterable[Path]) -> str:
    """One line: the folders of the files, and their names where they are few."""
    folders: dict[Path, list[str]] = {}
    for path in written:
        folders.setdefault(path.parent, []).append(path.name)
    told = [f"{folder} ({', '.join(names) if len(names) <= NAMED else f'{len(names)} files'})" for folder, names in folders.items()]
    return "; ".join(told)


def sweep(folder: str | os.PathLike) -> list[Path]:
    """Remove the temporary files that ended processes of this machine left in `folder`; return their paths."""
    gone = []
    for path in Path(folder).glob(".*.tmp"):
        host, _, rest = path.name.removesuffix(".tmp").rpartition(".")[2].partition("-")
        pid = rest.partition("-")[0]
        if host == _host() and pid.isdigit() and not _alive(int(pid)):
            with suppress(FileNotFoundError):
                path.unlink()
                gone.append(path)
    return gone


def _to_disk(path: Path) -> None:
    # without fsync a power cut after the rename can leave the new name on an empty file
    descriptor = os.open(path, os.O_RDWR)  # Windows puts nothing to disk that was opened for reading
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _host() -> str:
    return "".join(c for c in socket.gethostname() if c.isalnum()) or "localhost"


def _owner() -> str:
    return f"{_host()}-{os.getpid()}"


def _alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere signal 0 is no question but Ctrl+C: what others left stays
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
