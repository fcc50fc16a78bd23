"""Sink detectors: how much of a sink each newest token is. One detector a file, listed in `SINKS`."""

from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.row_entropy import RowEntropy
from kvsmooth.sinks.seen import Prompt, Seen

SINKS: dict[str, type[Detector]] = {detector.name: detector for detector in (RowEntropy,)}

__all__ = ["SINKS", "Detector", "Prompt", "RowEntropy", "Seen"]
