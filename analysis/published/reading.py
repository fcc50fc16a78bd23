"""Reads and scores every log; what is reduced of one is kept in a file of the store, and made again when what decides it changes."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from analysis.metrics.chair import Chair
from analysis.metrics.metric import Answer
from analysis.published.counts import COLUMNS, PLACES, Spoken, spoken
from analysis.published.logs import Log
from analysis.score.logs import log_files, read_log
from analysis.score.provenance import sha256
from analysis.words.readers import Reader
from probes.command.cli import BadInput
from probes.command.files import write_bytes

CODE = (
    *("published/counts.py", "captions/counts.py", "captions/shares.py", "metrics/chair.py", "metrics/text_quality.py"),
    *("omission/mentions.py", "score/logs.py"),
)
"""Files whose text decides what a caption comes to, beside those that the reader's key covers."""


def read_spoken(logs: Sequence[Log], annotations: Path, reader: Reader, store: Path) -> tuple[dict[str, Spoken], str]:
    """What each log comes to, by its name; and a hash of all logs and annotations.

    Raises
    ------
    BadInput : a log cannot be read, has an image twice, or one that the annotations do not hold
    """
    from tqdm import tqdm

    from analysis.datasets.object_lists import open_object_lists

    held = open_object_lists(annotations)
    found, keys = {}, []
    truth: dict[int, frozenset[str]] = {}
    for log in tqdm(logs, desc="published", unit="log", disable=None, leave=False):
        key = _key(log, held.key, reader)
        keys.append(key)
        kept = _kept(store / f"{key}.npz")
        if kept is None:
            truth = truth or held.truth(held.ids(), reader)
            kept = _scored(log, truth, reader)
            _keep(store / f"{key}.npz", kept)
        found[log.name] = kept
    data = "\n".join(f"{log.name} {sha256(log_files(log.file))}" for log in logs)
    return found, hashlib.sha256(f"{held.key}\n{data}".encode()).hexdigest()[:16]


def objects(reader: Reader) -> list[str]:
    """Every object that a mention can name, sorted; its place is its number."""
    return sorted(set(reader.vocabulary.table.values()))


def _scored(log: Log, truth: Mapping[int, frozenset[str]], reader: Reader) -> Spoken:
    answers = read_log(log.file)
    _one_an_image(log, answers)
    try:
        records = Chair(truth, reader).records(answers)
    except BadInput as error:
        raise BadInput(f"{log.file}: {error}") from error
    numbers = {name: number for number, name in enumerate(objects(reader))}
    return spoken(records, [answer.text for answer in answers], reader, numbers)


def _one_an_image(log: Log, answers: Sequence[Answer]) -> None:
    seen = set()
    for answer in answers:
        if answer.image_id in seen:
            raise BadInput(f"{log.file}: image {answer.image_id} has two captions; keep one of each image.")
        seen.add(answer.image_id)
    if not answers:
        raise BadInput(f"{log.file}: holds no caption; was it written to its end?")


def _key(log: Log, annotations: str, reader: Reader) -> str:
    return hashlib.sha256("\n".join((sha256(log_files(log.file)), annotations, reader.key, _code())).encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _code() -> str:
    room = Path(__file__).parents[1]
    return hashlib.sha256(b"".join((room / name).read_bytes() for name in CODE)).hexdigest()


def _kept(path: Path) -> Spoken | None:
    try:
        with np.load(io.BytesIO(path.read_bytes())) as held:
            found = Spoken(held["images"], held["counts"].astype(float), held["places"].astype(np.int64))
    except (OSError, ValueError, KeyError, EOFError):  # absent, torn, or of another shape: made again
        return None
    return found if found.counts.shape[1:] == (len(COLUMNS),) and found.places.shape[2:] == (len(PLACES),) else None


def _keep(path: Path, made: Spoken) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, images=made.images, counts=made.counts.astype(np.int32), places=made.places.astype(np.int16))
    write_bytes(path, content.getvalue())
