"""A `with` block that may be entered again once it has ended, each time afresh."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ContextDecorator
from types import TracebackType
from typing import Generic, TypeVar

Yielded = TypeVar("Yielded")


class Block(AbstractContextManager[Yielded], ContextDecorator, Generic[Yielded]):
    """What `KVSmooth(...)(model)` gives: kept under a name, it serves one `with` after another, and each yields a run of its own.

    Parameters
    ----------
    begin : makes the context manager of one `with`
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Yielded]]):
        self._begin = begin
        self._open: list[AbstractContextManager[Yielded]] = []

    def __enter__(self) -> Yielded:
        one = self._begin()
        yielded = one.__enter__()
        self._open.append(one)
        return yielded

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        if not self._open:
            raise RuntimeError(
                "This block is not open: its `with` has ended already, or has not begun; leave it once for each time it was entered."
            )
        return self._open.pop().__exit__(kind, error, trace)
