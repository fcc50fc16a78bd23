"""How probable captions are to a language model that never saw an image, on the first images of each log.

A model soon expects what repeats, so that loops lower the NLL: it stands beside repetition, never alone.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from analysis.published.logs import Log, baselines
from analysis.score.logs import log_files, read_log
from analysis.score.provenance import sha256
from analysis.stats.bootstrap import cluster_bca, mean
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row
from probes.command.files import write_bytes
from probes.command.strict_json import json_text

LONGEST = 200
"""Tokens of a caption that are read, at most."""
MEASURE, UNIT = "fluency", "nat a token"
TEST = "sign flip of the differences over images, two-sided: 0"


@dataclass(frozen=True)
class LogFluency:
    """Mean NLL of the captions of some images, NaN where a caption has fewer than two tokens; sorted by image."""

    images: Int[np.ndarray, " image"]
    nll: Float[np.ndarray, " image"]


def read_fluency(logs: Sequence[Log], most: int, store: Path) -> dict[str, LogFluency]:
    """Each log's captions of its first `most` images under the packaged language model; from the store where they were read before."""
    from analysis.language.fluency import fluency
    from analysis.language.models import PACKAGED, language_model
    from probes.command.cli import quiet
    from probes.subjects.smollm2.base import SHA256

    found, read = {}, None
    for log in logs if most else ():
        marks = (sha256(log_files(log.file)), str(most), str(LONGEST), SHA256)
        path = store / f"fluency-{hashlib.sha256(' '.join(marks).encode()).hexdigest()[:16]}.json"
        known = _kept(path)
        if known is None:
            if read is None:
                quiet()
                read = language_model(PACKAGED)
            answers = sorted(read_log(log.file), key=lambda answer: answer.image_id)[:most]
            nll = fluency(read, [answer.text for answer in answers], LONGEST, log.name)
            known = LogFluency(np.array([answer.image_id for answer in answers], dtype=np.int64), nll)
            write_bytes(path, json_text({"images": known.images, "nll": known.nll}).encode())
        found[log.name] = known
    return found


def fluency_rows(logs: Sequence[Log], fluent: Mapping[str, LogFluency], *, level: float = 0.95, seed: int = 0) -> list[Row]:
    """The mean NLL of each log, and its paired change from the baseline; not yet corrected over logs."""
    base, rows = baselines(logs), []
    for log in (log for log in logs if log.name in fluent):
        own = fluent[log.name]
        rows.append(_row(f"{log.name}/{MEASURE}", own.nll, {"log": log.name}, level, seed, role="descriptive"))
        before = base.get(log.family)
        if before is not None and before.name != log.name and before.name in fluent:
            other = fluent[before.name]
            _, one, two = np.intersect1d(own.images, other.images, return_indices=True)
            change = own.nll[one] - other.nll[two]
            where = {"log": log.name, "baseline": before.name}
            p = float(sign_flip(change[:, None], seed=seed)[0][0]) if len(change) > 1 else math.nan
            rows.append(_row(f"{log.name} - {before.name}/{MEASURE}", change, where, level, seed, test=TEST, p=p))
    return rows


def _row(name: str, values: Float[np.ndarray, " image"], where: Mapping[str, str], level: float, seed: int, **more) -> Row:
    found = cluster_bca(mean(values[:, None]), len(values), level=level, seed=seed)
    limits, n = (float(found.low[0]), float(found.high[0])), int(np.isfinite(values).sum())
    return Row(name, float(found.estimate[0]), UNIT, n, limits, where=dict(where) | {"measure": MEASURE}, reason=found.reason[0], **more)


def _kept(path: Path) -> LogFluency | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        nll = [math.nan if value is None else value for value in held["nll"]]
        return LogFluency(np.array(held["images"], dtype=np.int64), np.array(nll, dtype=float))
    except (OSError, ValueError, KeyError, TypeError):
        return None
