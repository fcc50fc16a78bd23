"""From options to a scored file: read, prepare the ground truth, score with intervals, compare with another file if asked."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.metrics.aggregate import compare, score
from analysis.metrics.metric import Answer, Metric, Record
from analysis.score.options import Prepared, Scoring
from analysis.score.results import Scored
from probes.cli import BadInput

HERE, OTHER = "captions", "against"


def scored(config: Scoring) -> tuple[Scored, Prepared]:
    """What the captions are worth, and by what they were measured.

    Raises
    ------
    BadInput : a file cannot be used; the message says which and where
    """
    files = {HERE: config.captions} | ({OTHER: config.against} if config.against is not None else {})
    answers = {name: config.read(path) for name, path in files.items()}
    notes = [note for name, path in files.items() for note in config.notes(path, answers[name])]
    prepared = config.prepared([answer for given in answers.values() for answer in given])
    metric = prepared.metric
    records = {name: _records(metric, given, files[name]) for name, given in answers.items()}
    found = score(metric, records[HERE], level=config.level, seed=config.seed)
    rows = []
    if config.against is not None:
        rows = compare(metric, records, OTHER, level=config.level, seed=config.seed)
        notes += _alone(records)
    return Scored(metric, found, records[HERE], config.level, [*notes, *prepared.notes], rows), prepared


def origin(config: Scoring, prepared: Prepared) -> dict[str, Any]:
    """Where the results come from: commit, versions, options, and hashes of the files that decide the numbers."""
    from probes.provenance import provenance

    files = [path for path in (config.captions, config.against) if path is not None]
    return provenance(config) | {"sha256": {path.as_posix(): sha256(path) for path in files}, "data": dict(prepared.origin)}


def sha256(path: Path) -> str:
    """The hash of a file, or of the names and hashes of a folder's files."""
    if path.is_dir():
        parts = [f"{part.name} {sha256(part)}" for part in sorted(path.iterdir()) if part.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Watched(Sequence[Answer]):
    """Answers that show on a terminal how far they have been gone through."""

    def __init__(self, answers: Sequence[Answer], title: str):
        self.answers, self.title = answers, title

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, index):
        return self.answers[index]

    def __iter__(self) -> Iterator[Answer]:
        from tqdm import tqdm

        return iter(tqdm(self.answers, desc=self.title, unit="answer", disable=None, leave=False))


def _records(metric: Metric, answers: Sequence[Answer], path: Path) -> Sequence[Record]:
    try:
        return metric.records(Watched(answers, metric.name))
    except BadInput as error:
        raise BadInput(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def _alone(records: dict[str, Sequence[Record]]) -> list[str]:
    here, other = ({record.image_id for record in records[name]} for name in (HERE, OTHER))
    if here == other:
        return []
    shared, only, others = len(here & other), len(here - other), len(other - here)
    return [f"compared on the {shared:,} images of both files; left out: {only:,} of --captions and {others:,} of --against only."]
