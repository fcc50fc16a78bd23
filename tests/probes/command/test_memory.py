"""Free memory goes back to the system where it can, and nothing else happens where it cannot."""

import ctypes
import sys

import pytest

from probes.command.memory import give_back

PIECES, SIZE = 4000, 100_000


def held() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process holds is read as Linux tells it")
def test_free_pieces_between_held_ones_go_back():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    pieces = [libc.malloc(SIZE) for _ in range(PIECES)]
    for piece in pieces:
        libc.memset(piece, 1, SIZE)
    try:
        for piece in pieces[1::2]:
            libc.free(piece)
        before, freed = held(), SIZE * PIECES / 2
        give_back()
        returned = before - held()
        assert returned > 0.5 * freed if hasattr(libc, "malloc_trim") else returned < 0.5 * freed
    finally:
        for piece in pieces[::2]:
            libc.free(piece)


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_a_system_without_such_a_function_is_left_alone(monkeypatch, error):
    def none(_):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", none)
    give_back()
