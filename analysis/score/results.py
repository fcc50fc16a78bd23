"""The results file of a scoring: measures with intervals, why one is missing, and every record; fractions, unrounded, strict JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.metrics.aggregate import MetricScore
from analysis.metrics.metric import Metric, Record
from analysis.score.options import same_file
from analysis.stats.rows import Row
from probes.command.cli import BadInput
from probes.command.files import writable
from probes.command.strict_json import json_text

LISTS = ("comparison", "captions")
"""Parts of the file that hold one item a line."""


@dataclass(frozen=True)
class ScoredFile:
    """A caption file that was scored.

    Attributes
    ----------
    metric : that it was scored by
    score : measures, intervals, reasons, how many answers and images
    records : one an answer, in the file's order
    level : coverage of the intervals, in (0, 1)
    notes : what a reader must know: repeated lines, ids that are not in the set, what was left out
    comparison : each measure of both files and their paired difference; empty if there is no other file
    data : hashes of the annotations that the ground truth was made of
    files : the names of the images' files, one a record; "" or nothing where they are not known
    """

    metric: Metric
    score: MetricScore
    records: Sequence[Record]
    level: float
    notes: Sequence[str] = ()
    comparison: Sequence[Row] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[str] = ()

    def __post_init__(self):
        if not 0 < self.level < 1:
            raise ValueError(f"ScoredFile.level must lie in (0, 1); got {self.level}.")


def as_text(scored: ScoredFile, provenance: Mapping[str, Any]) -> str:
    """The text of the results file; NaN is null there, and `reasons` says why. The same records give the same bytes."""
    score = scored.score
    document: dict[str, Any] = {
        "benchmark": scored.metric.name,
        "mode": scored.metric.mode,
        "metrics": score.metrics,
        "intervals": {name: list(limits) for name, limits in score.intervals.items()},
        "reasons": score.reasons,
        "units": {name: measure.unit for name, measure in scored.metric.measures.items()},
        "level": scored.level,
        "n": {"answers": score.answers, "images": score.images},
        "notes": list(scored.notes),
        "provenance": provenance,
        "comparison": list(scored.comparison),
        "captions": _captions(scored),
    }
    parts = [f' "{name}": {_listed(value) if name in LISTS else _json(value)}' for name, value in document.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def must_be_writable(path: Path, read: Sequence[Path] = (), option: str = "--json") -> None:
    """A results file that cannot be written is found out before the work, not after it.

    Raises
    ------
    BadInput : `path` is a folder, a pipe or a device, or one of the files that are read
    OSError : its folder cannot be made or written
    """
    if path.is_dir():
        raise BadInput(f"{option} {path}: this is a folder; name a file in it.")
    if path.exists() and not path.is_file():
        raise BadInput(f"{option} {path}: this is a pipe or a device, which would be replaced by a file; name an ordinary file.")
    if any(same_file(path, one) for one in read):
        raise BadInput(f"{option} {path}: this file is scored; name another.")
    writable(path.parent)


def _captions(scored: ScoredFile) -> list[dict[str, Any]]:
    found = [record.as_dict() for record in scored.records]
    if not any(scored.files):
        return found
    pairs = zip(found, scored.files, strict=True)  # behind image_id, which comes first
    return [{"image_id": one.pop("image_id"), "file_name": file, **one} if file else one for one, file in pairs]


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):  # most records hold nothing that JSON cannot, and there are many
        return json_text(value)


def _listed(values: Sequence[Any]) -> str:
    return "[\n  " + ",\n  ".join(map(_json, values)) + "\n ]" if values else "[]"
