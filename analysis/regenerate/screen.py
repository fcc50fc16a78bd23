"""The terminal output of a driver of child processes: its own lines, and one line with the progress of all children below them.

Children draw their progress bars on a terminal only, and two of them on one terminal would overwrite each other. So each gets a
pseudo-terminal, whose newest line is put into the common one; finished lines go to the child's log.
"""

import io
import os
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WIDTH = 72  # columns that a child is told to have


class ChildOutput:
    """A child's output: its log, and on a terminal what its progress bar says now."""

    def __init__(self, name: str, log: Path, on_terminal: bool):
        self.name, self.log, self.now = name, log, ""
        self._file = log.open("wb", buffering=0)
        self._ours = self._theirs = None
        self._rest = b""
        if on_terminal:
            import fcntl  # these three of POSIX alone
            import pty
            import termios

            self._ours, self._theirs = pty.openpty()
            os.set_blocking(self._ours, False)
            fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))

    @property
    def closed(self) -> bool:
        """Whether the child has ended and all of its output is taken."""
        return self._file.closed

    @contextmanager
    def ends(self) -> Iterator[tuple[io.FileIO, io.FileIO | int]]:
        """Where the child is to write: its standard output and its standard error; ours of the latter is closed when the block ends."""
        try:
            yield self._file, self._file if self._theirs is None else self._theirs
        finally:
            if self._theirs is not None:
                os.close(self._theirs)
                self._theirs = None

    def read(self) -> str:
        """Take what the child has written to its terminal; return what its newest line says."""
        if self._ours is not None:
            with suppress(OSError):  # nothing there yet, or the child has closed its end
                while part := os.read(self._ours, 65536):
                    *lines, self._rest = (self._rest + part).split(b"\n")
                    for each in lines:
                        self._file.write(_newest(each) + b"\n")
            self.now = _newest(self._rest).decode(errors="replace").strip()
        return self.now

    def close(self) -> str:
        """Take the rest; return the last line that the child wrote."""
        self.read()
        if self._ours is not None:
            self._file.write(_newest(self._rest))
            os.close(self._ours)
            self._ours = None
        self._file.close()
        lines = [text for text in self.log.read_text(errors="replace", encoding="utf-8").splitlines() if text.strip()]
        return lines[-1].strip() if lines else ""


class Screen:
    """Lines, and below them the progress of the children that are watched."""

    def __init__(self, stream: io.TextIOBase | None = None):
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._watched: list[ChildOutput] = []

    def watch(self, name: str, log: Path) -> ChildOutput:
        """A child that is about to start."""
        self._watched.append(ChildOutput(name, log, self._terminal))
        return self._watched[-1]

    def say(self, text: str) -> None:
        """One line that stays."""
        self._stream.write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")
        self._stream.flush()

    def show(self) -> None:
        """Draw the progress of all children anew."""
        self._watched = [each for each in self._watched if not each.closed]
        if self._terminal:
            parts = [f"{each.name}: {text}" for each in self._watched if (text := each.read())]
            columns = shutil.get_terminal_size().columns - 1
            share = columns // max(len(parts), 1) - 3
            self._stream.write("\r\x1b[K" + " | ".join(part[:share] for part in parts)[:columns])
            self._stream.flush()


def _newest(text: bytes) -> bytes:
    """What a line shows after all its returns to the left margin."""
    return text.rstrip(b"\r").rpartition(b"\r")[2]
