"""A `with` block that may be entered again once it has ended, each time afresh."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ContextDecorator


class Block(AbstractContextManager, ContextDecorator):
    """What `KVSmooth(...)(model)` gives: kept under a name, it serves one `with` after another, and each yields a run of its own.

    Parameters
    ----------
    begin : makes the context manager of one `with`
    """

    def __init__(self, begin: Callable[[], AbstractContextManager]):
        self._begin = begin
        self._open: list[AbstractContextManager] = []

    def __enter__(self) -> object:
        one = self._begin()
        yielded = one.__enter__()
        self._open.append(one)
        return yielded

    def __exit__(self, *exception) -> bool | None:
        if not self._open:
            raise RuntimeError(
                "This block is not open: its `with` has ended already, or has not begun; leave it once for each time it was entered."
            )
        return self._open.pop().__exit__(*exception)
