"""The interface of an engine: batches of payloads in, one outcome per payload out."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

Worker = Callable[[Sequence[Any]], Sequence[Any]]
"""Takes the payloads of a batch and gives a result for each, in their order."""
Maker = Callable[[], Worker]
"""Makes a worker where it will run (loads the model); picklable, called once a worker."""


@dataclass(frozen=True)
class Batch:
    """Payloads that are worked on together, each with a key that is unique in the run; picklable."""

    keys: tuple[str, ...]
    payloads: tuple[Any, ...]

    def __post_init__(self):
        if len(self.keys) != len(self.payloads) or not self.keys:
            raise ValueError(f"Batch.keys must be as many as its payloads, one or more; got {len(self.keys)} and {len(self.payloads)}.")


@dataclass(frozen=True)
class Outcome:
    """What came of one payload.

    Attributes
    ----------
    key : of the payload
    result : of the worker; None if it failed
    error : one line, why it was set aside after its last try; "" if it did not fail
    batch : how many payloads were worked on together (1 where a failed batch was tried again item by item)
    seconds : that the batch took
    """

    key: str
    result: Any = None
    error: str = ""
    batch: int = 1
    seconds: float = 0.0


@runtime_checkable
class Engine(Protocol):
    """Runs batches; outcomes come as batches finish, in any order, and the caller writes them."""

    def run(self, make: Maker, batches: Iterable[Batch]) -> Generator[list[Outcome], None, None]:
        """One list of outcomes a batch.

        A batch that fails is tried again item by item, so that one bad item spoils no other; an item that fails alone is set aside.
        An interrupt starts nothing new, gives what is under way, and is raised again at the end; a second one ends at once.

        Raises
        ------
        BadInput : no worker can be made
        """
