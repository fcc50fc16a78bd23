"""Output of commands that works on any terminal, whatever its encoding, and never ends the work."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


def printable(text: str) -> str:
    """The text with all that a terminal would obey or cannot show written out: ESC as \\x1b, a byte that is no UTF-8 as \\udcff."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def say(text: str) -> None:
    """Print lines of a command; names of files in them cannot reach the terminal as anything but text."""
    print("\n".join(map(printable, text.split("\n"))))  # noqa: T201  a command may speak


def complain(line: str) -> None:
    """Print one line on standard error, safe as those of `say`."""
    print(printable(line), file=sys.stderr)  # noqa: T201  a command may speak


@contextmanager
def undying_streams() -> Iterator[None]:
    """Within the block, standard output and error take every character, and go on in silence when nobody reads them any more.

    A character that their encoding lacks is written out (backslashreplace). A reader that has left, as of `| head`, is no reason to lose
    the work of hours, which is in files.
    """
    names = [name for name in ("stdout", "stderr") if _ours(getattr(sys, name), getattr(sys, f"__{name}__"))]
    before = {name: getattr(sys, name) for name in names}
    for name, stream in before.items():
        setattr(sys, name, _undying(stream))
    try:
        yield
    finally:
        for name, stream in before.items():
            with suppress(ValueError):  # closed by someone else
                getattr(sys, name).flush()
            setattr(sys, name, stream)


def _ours(stream: Any, original: Any) -> bool:
    """Whether a stream is the one that the process began with; what a test or a notebook has put there is left alone."""
    return stream is original and isinstance(stream, io.TextIOWrapper) and type(_raw(stream)) is io.FileIO


def _raw(stream: io.TextIOWrapper) -> object:
    return getattr(stream.buffer, "raw", stream.buffer)  # without a buffer under PYTHONUNBUFFERED


def _undying(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    raw = _Unread(stream.fileno(), "w", closefd=False)
    bytes_out = io.BufferedWriter(raw) if hasattr(stream.buffer, "raw") else raw
    options: dict[str, Any] = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
    return io.TextIOWrapper(bytes_out, stream.encoding, "backslashreplace", **options)


class _Unread(io.FileIO):
    """A file descriptor whose reader may leave."""

    def write(self, content, /) -> int | None:
        """Write; if nobody reads any more, do as if."""
        try:
            return super().write(content)
        except BrokenPipeError:
            return memoryview(content).nbytes
