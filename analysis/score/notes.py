"""Collects the notices of a scoring run, so that the results file holds them as well as the terminal."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from probes.command.cli import Notice


@contextmanager
def noted() -> Iterator[list[str]]:
    """The notices of the block, once it has ended."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Notice)
        try:
            yield notes
        finally:
            said = list(caught)
    for warning in said:
        if issubclass(warning.category, Notice):
            notes.append(str(warning.message))
        warnings.warn(warning.message, warning.category, stacklevel=2)
