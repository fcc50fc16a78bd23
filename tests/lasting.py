"""`python -m tests.lasting JUNIT`: tests that took longer than a moment stand in tests/lasting.txt; `make fast` leaves them out.

The report is that of a whole run, `pytest --junitxml JUNIT`, on a quiet machine. A test that is not in the list yet is run. Those that are
marked `slow` are left out of `make fast` anyway, and out of the list.
"""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from probes.command.files import write_bytes
from tests.rooms import ROOT

KEPT = ROOT / "tests" / "lasting.txt"
MOMENT = 0.15
"""Seconds."""


def lasting() -> frozenset[str]:
    """Node ids of the tests that last; none where nothing was measured."""
    return frozenset(KEPT.read_text(encoding="utf-8").splitlines()) if KEPT.exists() else frozenset()


def over(report: Path, moment: float = MOMENT) -> list[str]:
    """Node ids of the tests of a report that took longer than this, in order.

    Raises
    ------
    ValueError : a test of the report belongs to no file of this checkout
    """
    slow = {_node(case.get("classname", ""), case.get("name", "")) for case in ET.parse(report).iter("testcase") if _seconds(case) > moment}
    return sorted(slow)


def collected(tier: str, *files: str) -> set[str]:
    """Node ids of the tests that an expression of marks chooses, of these files or of all."""
    words = [sys.executable, "-m", "pytest", *files, "--collect-only", "-q", "-o", "addopts=", "-p", "no:xdist", "-m", tier]
    return {line for line in subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout.splitlines() if "::" in line}


def _seconds(case: ET.Element) -> float:
    return float(case.get("time", "0"))


def _node(place: str, name: str) -> str:
    """A report writes tests.room.test_file.TestClass; the file is the longest part that is one."""
    parts = place.split(".")
    for end in range(len(parts), 0, -1):
        path = Path(*parts[:end]).with_suffix(".py")
        if (ROOT / path).is_file():
            return "::".join([path.as_posix(), *parts[end:], name])
    raise ValueError(f"{place}::{name} is no test of this checkout; give the report of a run of it.")


def main(words: Sequence[str]) -> int:
    """Write the list anew; the exit status."""
    try:
        (report,) = words
        found = sorted({*over(Path(report))} - collected("slow"))
    except (ValueError, OSError, ET.ParseError) as error:
        sys.stderr.write(f"tests.lasting: give one report of `pytest --junitxml`; {error}\n")
        return 2
    write_bytes(KEPT, "".join(f"{node}\n" for node in found).encode())
    sys.stdout.write(f"{len(found)} tests took more than {MOMENT:g} s: {KEPT.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
