"""Sink detectors: how much of a sink each newest token is. One detector a file, listed in `SINKS`."""

from kvsmooth.sinks.newest import NewestRow
from kvsmooth.sinks.row_entropy import RowEntropy

SINKS = {"row_entropy": RowEntropy}

__all__ = ["SINKS", "NewestRow", "RowEntropy"]
