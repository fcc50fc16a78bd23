"""From options to a scored file: read, prepare the ground truth, score with intervals, compare with another file if asked."""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.metrics.aggregate import compare, score
from analysis.metrics.metric import Answer, Metric, Record
from analysis.score.notes import noted
from analysis.score.options import Scoring
from analysis.score.results import ScoredFile
from probes.command.cli import BadInput, Notice

HERE, OTHER = "captions", "against"


def scored(config: Scoring) -> ScoredFile:
    """What the captions are worth.

    Raises
    ------
    BadInput : a file cannot be used; the message says which and where
    """
    with noted() as notes:
        files = {HERE: config.captions} | ({OTHER: config.against} if config.against is not None else {})
        answers = {name: config.read(path) for name, path in files.items()}
        for name, path in files.items():
            if not answers[name]:
                raise BadInput(f"{path}: holds no answer, so that there is nothing to score; was it written to its end?")
            config.notes(path, answers[name])
        prepared = config.prepared(answers[HERE], answers.get(OTHER, []))
        metric = prepared.metric
        records = {name: _records(metric, given, files[name]) for name, given in answers.items()}
        counted = {name: _counted(given, files[name]) for name, given in records.items()}
        # one record an answer, in their order; those that are passed over have no part in a comparison
        asked = {
            name: [_asked(one) for one, record in zip(answers[name], given, strict=True) if _counts(record)]
            for name, given in records.items()
        }
        found = score(metric, counted[HERE], level=config.level, seed=config.seed)
        rows = []
        if config.against is not None:
            if not set(asked[HERE]) & set(asked[OTHER]):
                raise BadInput(f"{config.against}: has no answer about what {config.captions} has answers about; give another --against.")
            rows = compare(metric, counted, OTHER, keys=asked, level=config.level, seed=config.seed)
            _tell_of_the_rest(asked)
    images = [answer.file for answer in answers[HERE]]
    return ScoredFile(metric, found, records[HERE], config.level, notes, rows, prepared.origin, images)


class AnswersWithProgress(Sequence[Answer]):
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
        return metric.records(AnswersWithProgress(answers, metric.name))
    except BadInput as error:
        raise BadInput(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def _counted(records: Sequence[Record], path: Path) -> list[Record]:
    """The records that count; those that say why they are passed over are told, and stay in the results file."""
    why = Counter(getattr(record, "passed_over", "") for record in records)
    for reason, times in sorted(why.items()):
        if reason:
            warnings.warn(f"{path}: {times:,} of {len(records):,} answers passed over, {reason}.", Notice, stacklevel=2)
    counted = [record for record in records if _counts(record)]
    if not counted:
        first = max(why, key=why.__getitem__)
        raise BadInput(f"{path}: none of its {len(records):,} answers counts ({first}); give those that are asked for.")
    return counted


def _counts(record: Record) -> bool:
    return not getattr(record, "passed_over", "")


def _asked(answer: Answer) -> str:
    return f"{answer.image_id}/{answer.key}"


def _tell_of_the_rest(asked: dict[str, list[str]]) -> None:
    here, other = (set(asked[name]) for name in (HERE, OTHER))
    if here != other:
        shared, only, others = len(here & other), len(here - other), len(other - here)
        things = "images" if all(one.endswith("/") for one in here | other) else "questions"
        told = f"compared on the {shared:,} {things} of both files; left out: {only:,} of --captions and {others:,} of --against only."
        warnings.warn(told, Notice, stacklevel=2)
