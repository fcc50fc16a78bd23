"""What a method will not let pass in silence, and by whose name it speaks."""

from collections.abc import Iterator
from contextlib import contextmanager

from kvsmooth.errors import NothingSmoothed, Unsupported


class NothingChanged(NothingSmoothed):
    """The model decoded inside a `with` block of a method, and the method touched nothing."""


@contextmanager
def speaking_for(name: str) -> Iterator[None]:
    """What `kvsmooth.decoding` refuses in here is refused in the name of a method.

    Raises
    ------
    Unsupported
    """
    try:
        yield
    except Unsupported as error:
        raise Unsupported(str(error).replace("KVSmooth", name)) from error
