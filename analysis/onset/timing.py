"""Time to the first hallucinated mention, the end of the caption competing with it."""

import xarray as xr

from analysis.stats.rows import Row


def timing(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Rows."""
    return []


def curves(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[dict]:
    """Curves."""
    return []
