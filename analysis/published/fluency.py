"""How probable captions are to a language model that never saw an image, on the first images of each log.

A model soon expects what repeats, so that loops lower the NLL: it stands beside repetition, never alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from analysis.published.logs import Log, baselines
from analysis.score.logs import read_log
from analysis.stats.bootstrap import cluster_bca, mean
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

MEASURE, UNIT = "fluency", "nat a token"
TEST = "sign flip of the differences over images, two-sided: 0"


@dataclass(frozen=True)
class LogFluency:
    """Mean NLL of the captions of some images, NaN where a caption has fewer than two tokens; sorted by image."""

    images: Int[np.ndarray, " image"]
    nll: Float[np.ndarray, " image"]


def read_fluency(logs: Sequence[Log], most: int, store: Path) -> dict[str, LogFluency]:
    """Each log's captions of its first `most` images under the packaged language model; from the store where they were read before."""
    from analysis.language.kept import packaged_reader

    found, read = {}, packaged_reader(store / "nll.json")
    for log in logs if most else ():
        answers = sorted(read_log(log.file), key=lambda answer: answer.image_id)[:most]
        nll = read([answer.text for answer in answers], log.name)
        images = np.array([answer.image_id for answer in answers], dtype=np.int64)
        found[log.name] = LogFluency(images, np.array([nll[answer.text] for answer in answers], dtype=float))
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
