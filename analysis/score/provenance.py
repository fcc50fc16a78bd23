"""Where a score comes from: commit, versions, options, and hashes of every file that decides a number."""

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.score.options import Scoring

READERS = ("nltk", "spacy")
"""Packages that decide which words are read."""


def origin(config: Scoring, data: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into a results file; `data` says of which annotations the ground truth was made."""
    from probes.command.provenance import provenance

    given = [path for path in (config.captions, config.against) if path is not None]
    found = provenance(config)
    found["versions"] = found["versions"] | _installed()
    return found | {
        "benchmark": type(config).__name__,
        "sha256": {path.as_posix(): sha256(config.files(path)) for path in given},
        "data": dict(data),
    }


def sha256(files: Sequence[Path]) -> str:
    """The hash of a file, or of the names and hashes of several: those that were read, and no others of their folder."""
    if len(files) == 1:
        with files[0].open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    parts = [f"{path.name} {sha256([path])}" for path in files]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _installed() -> dict[str, str]:
    found = {}
    for package in READERS:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
