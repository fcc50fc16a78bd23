"""One process at a time in a folder, on every system."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = ".lock"


class Held(Exception):
    """Another process, or another thread, holds the folder."""


@contextmanager
def held(folder: str | os.PathLike, wait: bool) -> Iterator[None]:
    """Hold the folder within the block; the system lets it go when the process ends, however it ends. The empty file `NAME` stays there.

    Parameters
    ----------
    wait : until whoever holds it lets go

    Raises
    ------
    Held : somebody does, and `wait` is false
    FileNotFoundError : there is no such folder
    """
    from filelock import FileLock, Timeout

    if not Path(folder).is_dir():  # filelock would make it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    lock = FileLock(Path(folder) / NAME, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout:
        raise Held(folder) from None
    try:
        yield
    finally:
        lock.release()
