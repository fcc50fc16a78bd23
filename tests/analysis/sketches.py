"""Figures of one file, for tests of commands that look at no other: a PNG takes as long as its layout and its SVG together."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SKETCH = "from analysis.plots import style; style.KINDS = ('svg',)\n"
"""The same as the first line of a program that a test starts."""


@contextmanager
def sketches() -> Iterator[None]:
    """Figures are written as SVG alone, for the time of the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.plots.style.KINDS", ("svg",))
        yield
