"""Memory that is free goes back to the system."""

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Return what this process holds and does not use, where the C library can (glibc); elsewhere nothing happens.

    A cache that grows by copying leaves free pieces behind of which each is too small for the next batch: a process then holds more and
    more that nobody uses.
    """
    with suppress(AttributeError, OSError, TypeError):  # no such function, no such library
        ctypes.CDLL(None).malloc_trim(0)
