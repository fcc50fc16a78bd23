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


@contextmanager
def unwritten() -> Iterator[None]:
    """Figures are made and not written, which takes most of their time, for the time of the block."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("analysis.plots.style", "analysis.benchmark.figures"):
            patch.setattr(f"{module}.save", lambda *given, **options: [])
        yield
