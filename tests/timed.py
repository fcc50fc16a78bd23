"""`python -m tests.timed fast|test ...`: what these targets of the Makefile take, kept for docs/testing.md."""

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

from tests import numbers
from tests.rooms import ROOT

TARGETS = ("fast", "test")


def timed(target: str) -> dict[str, float | int | str]:
    """Run a target; its wall and processor time in seconds, how many tests passed, and where.

    Raises
    ------
    RuntimeError : it failed
    """
    load, before, begin = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(["make", "--no-print-directory", target], cwd=ROOT, capture_output=True, text=True)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    passed = re.search(r"(\d+) passed", done.stdout)
    if done.returncode or not passed:
        raise RuntimeError(f"make {target} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        "wall": round(wall, 1),
        "processor": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "passed": int(passed[1]),
        "cores": os.cpu_count(),
        "load_before": round(load, 1),
        "commit": commit.stdout.strip(),
    }


def main(targets: Sequence[str]) -> int:
    """Time these targets; the exit status."""
    if not targets or set(targets) - set(TARGETS):
        sys.stderr.write(f"tests.timed: name one or more of {', '.join(TARGETS)}; got {' '.join(targets) or 'none'}.\n")
        return 2
    for target in targets:
        try:
            found = timed(target)
        except RuntimeError as error:
            sys.stderr.write(f"tests.timed: {error}\n")
            return 1
        numbers.keep("times", f"make {target}", found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
