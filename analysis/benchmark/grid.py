"""Tables of a benchmark: rows of cells as Markdown, a result as a cell; shares in percent."""

from collections.abc import Iterable, Mapping
from typing import Any

from analysis.language.metric import NLL_UNIT
from analysis.metrics.metric import is_share

Found = Mapping[str, Any]


def grid(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table with its head."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def level(row: Found | None, unit: str) -> str:
    """An estimate with its interval."""
    return "undefined" if row is None or row["estimate"] is None else _numbers(row, unit, "")


def change(row: Found, unit: str) -> str:
    """A difference with its interval, signs before all; percentage points of shares."""
    return f"undefined ({row['reason']})" if row["estimate"] is None else _numbers(row, unit, "+")


def cell(text: str) -> str:
    """A text that ends no cell."""
    return text.replace("|", "\\|")


def _numbers(row: Found, unit: str, sign: str) -> str:
    scale, form = 100 if is_share(unit) else 1, f"{sign}.{2 if unit == NLL_UNIT else 1}f"
    limits = "" if None in row["interval"] else f" [{', '.join(f'{scale * limit:{form}}' for limit in row['interval'])}]"
    return f"{scale * row['estimate']:{form}}{limits}"
