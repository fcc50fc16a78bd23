"""Measured numbers of the tests themselves: kept in docs/testing.json, told as the tables of docs/testing.md."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.telling.pages import with_paragraph
from probes.command.files import write_bytes
from tests.rooms import ROOT

KEPT = ROOT / "docs" / "testing.json"
PAGE = ROOT / "docs" / "testing.md"


def keep(kind: str, name: str, values: dict[str, Any]) -> None:
    """Write the values of one measurement over its earlier ones, and the tables anew."""
    numbers = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    numbers.setdefault(kind, {})[name] = values
    write_bytes(KEPT, (json.dumps(numbers, indent=1, sort_keys=True) + "\n").encode())
    write_bytes(PAGE, told(PAGE.read_text(encoding="utf-8"), numbers, PAGE).encode())


def told(page: str, numbers: dict[str, dict], where: Path) -> str:
    """The page with its tables as these numbers have them."""
    for mark, rows in (("mutants", of_mutants(numbers)), ("times", of_times(numbers))):
        page = with_paragraph(page, mark, "\n".join(rows), where)
    return page


def of_mutants(numbers: dict[str, dict]) -> Iterator[str]:
    """What was tried and killed in each room, before and after; mutants of words alone are told apart."""
    yield "| room | mutants | tried | killed before | killed after | of those that change more than words, after |"
    yield "|---|---|---|---|---|---|"
    earlier, later = numbers.get("mutants before", {}), numbers.get("mutants after", {})
    for room in sorted(earlier | later):
        one = later.get(room) or earlier[room]
        cells = [f"`{room}`", one["mutants"], one["tried"]]
        cells += [_share(kept[room]["killed"], kept[room]["tried"]) if room in kept else "" for kept in (earlier, later)]
        more = one["tried"] - one["of_texts"], one["killed"] - one["of_texts_killed"]
        cells.append(_share(more[1], more[0]) if room in later else "")
        yield f"| {' | '.join(map(str, cells))} |"


def of_times(numbers: dict[str, dict]) -> Iterator[str]:
    """What each command took."""
    yield "| command | tests | wall, minutes | processor, minutes | cores | load before | commit |"
    yield "|---|---|---|---|---|---|---|"
    for name, one in sorted(numbers.get("times", {}).items()):
        wall, processor = (f"{one[what] / 60:.1f}" for what in ("wall", "processor"))
        yield f"| `{name}` | {one['passed']} | {wall} | {processor} | {one['cores']} | {one['load_before']} | {one['commit']} |"


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if whole else "0"
