"""Writes to standard output in any encoding; a reader that has left is no error."""

import os
import sys


def tell(text: str) -> None:
    """Write lines; a character that the output's encoding lacks is written out, and a reader that has left, as of `| head`, is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends: into nothing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
