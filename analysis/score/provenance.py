"""Where a score comes from: commit, versions, options, and hashes of every file that decides a number."""

import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.score.options import Scoring

READERS = ("nltk", "spacy")
"""Packages that decide which words are read."""


def origin(config: Scoring, data: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into a results file; `data` says of which annotations the ground truth was made."""
    from probes.provenance import provenance

    files = [path for path in (config.captions, config.against) if path is not None]
    found = provenance(config)
    found["versions"] = found["versions"] | _installed()
    return found | {"benchmark": type(config).__name__, "sha256": {path.as_posix(): sha256(path) for path in files}, "data": dict(data)}


def sha256(path: Path) -> str:
    """The hash of a file, or of the names and hashes of a folder's files."""
    if path.is_dir():
        parts = [f"{part.name} {sha256(part)}" for part in sorted(path.iterdir()) if part.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed() -> dict[str, str]:
    found = {}
    for package in READERS:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
