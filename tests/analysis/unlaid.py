"""Figures that are not laid out, for tests of what stands in them: to lay one out takes as long as to draw it as SVG and more."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

UNLAID = "from analysis.plots import style; style.KINDS = ('svg',); style.ConstrainedLayoutEngine = lambda **given: None\n"
"""The same as the first line of a program that a test starts."""


@contextmanager
def unlaid() -> Iterator[None]:
    """Figures are drawn where matplotlib puts them at first, and written as SVG alone, for the time of the block.

    That a layout is the same each time, and in another process, is asked of the figures of drift and of logits alone.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.plots.style.KINDS", ("svg",))
        patch.setattr("analysis.plots.style.ConstrainedLayoutEngine", lambda **given: None)
        yield
