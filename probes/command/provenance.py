"""Where a file came from: commit, versions, the full configuration."""

import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from probes.command.cli import program_name
from probes.command.strict_json import as_plain

PACKAGES = ("kvsmooth", "torch", "transformers", "nnsight", "numpy", "xarray", "scipy", "pandas")
ROOT = Path(__file__).resolve().parents[2]


def provenance(config: Any) -> dict[str, Any]:
    """What is needed to make a file again: JSON-able, the same for the same code and configuration (no clock, no host name).

    Parameters
    ----------
    config : the frozen dataclass of a command, or a mapping

    Returns
    -------
    dict with `git_commit` (ends in "-dirty" where tracked code differs from the commit; "unknown" outside a checkout),
    `versions`, `command`, `config`, and `seed` where the configuration has one
    """
    plain = as_plain(config)
    record = {"git_commit": git_commit(), "versions": versions(), "command": program_name(), "config": plain}
    if isinstance(plain, dict) and "seed" in plain:
        record["seed"] = plain["seed"]
    return record


@cache
def git_commit() -> str:
    """The commit of the code that runs; "-dirty" where tracked files of the three packages were changed since."""
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "kvsmooth", "probes", "analysis")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{commit}-dirty" if changed else commit


@cache
def versions() -> dict[str, str]:
    """Python's version and those of the packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def digest(parts: Iterable[str | bytes]) -> str:
    """A short hash of texts or bytes, in this order."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part.encode() if isinstance(part, str) else part)
        made.update(b"\0")
    return made.hexdigest()[:16]


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True, timeout=20, encoding="utf-8")
    return done.stdout.strip()
