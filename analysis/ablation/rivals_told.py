"""In words and in a table: which cells lower CHAIR with broken text, and which do more than leaving out would."""

from collections.abc import Sequence

from analysis.ablation.panels import Rows
from analysis.cells.names import BASELINE
from analysis.language.limits import in_words
from analysis.published.verdict import is_better
from analysis.telling.wording import bracketed, direction, listed, signed

BEYOND = {"chair_s": "CHAIR_s", "chair_i": "CHAIR_i", "precision": "precision"}
EVERY = "beyond every line"
NONE = "–"


def rivals_bullet(rows: Rows, cells: Sequence[str]) -> str:
    """Of the cells that lower CHAIR: how many break more captions, and which lie beyond what leaving out would give; "" if not measured."""
    lower = [name for name in cells if any(direction(rows.get(f"{name} - {BASELINE}/{of}")) < 0 for of in ("chair_i", "chair_s"))]
    said = []
    if lower and f"{BASELINE}/broken" in rows:
        broken = sum(direction(rows.get(f"{name} - {BASELINE}/broken")) > 0 for name in lower)
        said.append(f"{_many(broken, len(lower))} more captions broken")
    if lower and f"{lower[0]}/{EVERY}/precision" in rows:
        better = [f"`{name}`" for name in lower if is_better(rows, name)]
        said.append(f"{len(better) or 'none'} of them {'lie' if len(better) > 1 else 'lies'} beyond every omission line{_named(better)}")
    return f"Of {len(lower)} cells that lower CHAIR_i or CHAIR_s, {' and '.join(said)}." if said else ""


def rivals_table(rows: Rows, cells: Sequence[str]) -> list[str]:
    """Lines of markdown: broken captions and NLL of each cell, and its distance to the omission lines; none where none was measured."""
    shown = [name for name in cells if f"{name}/broken" in rows or f"{name}/{EVERY}/chair_s" in rows]
    if not shown:
        return []
    head = ["cell", "broken captions", "NLL (nat a token)", *(f"{name} less the nearest line" for name in BEYOND.values())]
    lines = ["", "### Broken text, and leaving out", "", _note(rows), "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in shown:
        text = [_level(rows, name, measure) for measure in ("broken", "nll")]
        lines.append(f"| {name} | {' | '.join([*text, *(_apart(rows, name, measure) for measure in BEYOND)])} |")
    return lines


def _note(rows: Rows) -> str:
    said = ""
    if (row := rows.get(f"{BASELINE}/broken")) is not None:
        said = in_words(row["n"], rows[f"{BASELINE}, words shuffled/broken"]["estimate"], "cell")
    return (
        f"{said}Lines: what leaving out of the captions without smoothing would give at the cell's own recall (`analysis.omission`); below "
        "0, of precision above it, a cell does what leaving out cannot. Asterisks: corrected p < 0.05, of broken captions and NLL against "
        "no smoothing, of a distance by the tests of all lines."
    )


def _level(rows: Rows, cell: str, measure: str) -> str:
    row = rows.get(f"{cell}/{measure}")
    return NONE if row is None else f"{signed(row['estimate'])}{'*' if direction(rows.get(f'{cell} - {BASELINE}/{measure}')) else ''}"


def _apart(rows: Rows, cell: str, measure: str) -> str:
    row = rows.get(f"{cell}/{EVERY}/{measure}")
    return NONE if row is None else f"{bracketed(row)}{'*' if direction(row) else ''}"


def _many(count: int, of: int) -> str:
    return "all make" if count == of > 1 else f"{count or 'none'} {'make' if count > 1 else 'makes'}"


def _named(names: Sequence[str]) -> str:
    return f" ({listed(names)})" if names else ""
