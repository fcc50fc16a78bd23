"""Columns of text as commands print them at their end."""

import math
from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: bool = False) -> list[str]:
    """A line a row, columns two spaces apart, flush left; with `right`, all but the first flush right, as numbers are read."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_padded(row, widths, right)).rstrip() for row in rows]


def p_value(p: float | None, missing: str = "-") -> str:
    """Three digits, or "< 0.001"; `missing` where there is none."""
    return missing if p is None or math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _padded(row: Sequence[str], widths: Sequence[int], right: bool) -> list[str]:
    first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return [first, *(cell.rstrip().rjust(len(cell)) if right else cell for cell in others)]
