"""The wording of the findings page: numbers as text, the direction of a corrected test, the table of primary outcomes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Rows = Mapping[str, Row]
LEVEL = 0.05
NO_P = "no p"


def direction(row: Row | None, null: float = 0.0) -> int:
    """+1 or -1 where the corrected test rejects at 5 %, by the side of `null` on which the estimate lies; else, or without a row, 0."""
    if row is None or not math.isfinite(row["estimate"]) or not row["p_adjusted"] < LEVEL:
        return 0
    return (row["estimate"] > null) - (row["estimate"] < null)


def was_tested(row: Row | None) -> bool:
    """Whether there is a corrected test to speak of: of what was not recorded, or had nothing to test, a verdict says nothing."""
    return row is not None and math.isfinite(row["p_adjusted"])


def while_looping(change: Row | None, plain: Row | None, smoothed: Row | None) -> str:
    """What becomes of the text, which CHAIR cannot see, as a clause; nothing where captions loop no more and no less often.

    `change` is the tested difference, the others are the levels without smoothing and with KVSmooth.
    """
    if not direction(change) or plain is None or smoothed is None:
        return ""
    without, with_it = (f"{100 * row['estimate']:.3g} %" for row in (plain, smoothed))
    return f", while {with_it} of the captions loop, {without} without KVSmooth"


def sentence(clauses: Sequence[str]) -> str:
    """One sentence of the clauses that are not empty; where there is none, that nothing was tested."""
    said = "; ".join(clause for clause in clauses if clause)
    return f"{said[0].upper()}{said[1:]}." if said else "Nothing that was named in advance could be tested."


def alike(first: int, second: int, names: Sequence[str], words: Mapping[int, str]) -> str:
    """What two things do, said once where they do the same; `names` are those of both together, of the first, of the second."""
    both, one, other = names
    return f"{both} {words[first]}" if first == second else f"{one} {words[first]}, {other} {words[second]}"


def page(verdict: str, *parts: str) -> str:
    """Markdown: the verdict in bold, then paragraphs; empty ones are left out."""
    return "\n\n".join([f"**{verdict}**", *(part for part in parts if part)])


def table(rows: Rows, named: Mapping[str, str], known_as: str = "named in advance") -> str:
    """Markdown: a line an outcome with estimate, interval, n and corrected p; outcomes without a row are left out."""
    lines = [f"| {known_as} | estimate | n | corrected p |", "|---|---|---|---|"]
    for name, words in named.items():
        if name in rows:
            row = rows[name]
            told = bracketed(row) if math.isfinite(row["estimate"]) else number(row)
            lines.append(f"| {words} | {told} | {row['n']} | {p_value(row['p_adjusted'], NO_P)} |")
    return "\n".join(lines)


def number(row: Row) -> str:
    """Estimate, interval, n and corrected p of a row."""
    if not math.isfinite(row["estimate"]):
        return f"unknown ({row['reason'] or 'no value'})"
    return f"{bracketed(row)} (n = {row['n']}, {chance(row['p_adjusted'])})"


def bracketed(row: Row) -> str:
    """Estimate and interval; the estimate alone where there is no interval."""
    low, high = row["interval"]
    ends = f" [{signed(low)}, {signed(high)}]" if math.isfinite(low) or math.isfinite(high) else ""
    return f"{signed(row['estimate'])}{ends}"


def signed(value: float) -> str:
    """Three significant digits with a true minus; a dash where there is no number."""
    return "–" if not math.isfinite(value) else f"{value:#.3g}".rstrip(".").replace("-", "−")


def brief(value: float, digits: int = 2) -> str:
    """So many significant digits, or all of those before the point: "100" where `.2g` says "1e+02"."""
    return f"{value:.{digits}g}" if abs(value) < 10**digits - 0.5 else f"{value:.0f}"


def chance(p: float) -> str:
    """A p-value as text, in a sentence; in a cell of a table it is `p_value`."""
    told = p_value(p, NO_P)
    return told if told == NO_P else f"p {told}" if told.startswith("<") else f"p = {told}"


def listed(names: Sequence[str]) -> str:
    """Names with commas and, before the last, "and"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


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
