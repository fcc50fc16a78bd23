"""Intervals of a few resamples, for tests that look at none."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

FEW = 199


@contextmanager
def few() -> Iterator[None]:
    """Whatever asks for more resamples gets `FEW`, for the time of the block."""
    from analysis.stats import bootstrap

    usual = bootstrap._bca
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            bootstrap,
            "_bca",
            lambda name, statistic, groups, level, resamples, seed: usual(name, statistic, groups, level, min(resamples, FEW), seed),
        )
        yield
