"""Fluency beside a benchmark's measures: which captions a language model reads, and what comes of them."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.benchmark.evaluation import Evaluation, of_an_image
from analysis.benchmark.names import BASELINE
from analysis.benchmark.planning import BenchmarkRun, usable
from analysis.benchmark.store import AnswerLine
from analysis.metrics.metric import Record
from analysis.stats.rows import Row
from probes.command.cli import BadInput, Notice

if TYPE_CHECKING:
    from analysis.language.kept import Reader
    from analysis.language.metric import FluencyRecord

FIRST = 100
"""Captions of each method that are read where nobody says how many: one in a hundred of the baseline's is improbable by the rule."""


@dataclass(frozen=True)
class Fluent:
    """What a language model found of the captions of some methods; empty where none is read.

    Attributes
    ----------
    rows : NLL and broken of each method, and their paired changes
    records : by method and key of the question
    measures : their names and units, as benchmark.json lists them
    about : the model, how many captions it read, the limits of the rule and its calibration
    notes : what a reader of the table must know
    """

    rows: Sequence[Row] = ()
    records: "Mapping[str, Mapping[str, FluencyRecord]]" = field(default_factory=dict)
    measures: Sequence[Mapping[str, Any]] = ()
    about: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()

    def beside(self, method: str, lines: Sequence[AnswerLine], records: Sequence[Record]) -> list[Record]:
        """The benchmark's records of these answers, each with what the language model found of it, where it was read."""
        read = self.records.get(method, {})
        return [Beside(one, read[line.key]) if line.key in read else one for line, one in zip(lines, records, strict=True)]


@dataclass(frozen=True)
class Beside:
    """A benchmark's record with the fluency of the same caption."""

    found: Record
    fluency: "FluencyRecord"

    @property
    def image_id(self) -> int:
        """The image."""
        return self.found.image_id

    @property
    def counts(self) -> tuple[Any, ...]:
        """Those of the benchmark."""
        return self.found.counts

    def as_dict(self) -> dict[str, Any]:
        """For a results file."""
        return self.found.as_dict() | {"fluency": {"nll": self.fluency.nll, "broken": self.fluency.broken}}


def kept_in(home: Path) -> Path:
    """Where the NLL of captions is kept: beside the folders of scores, as benchmarks share captions."""
    return home.parent / "nll.json"


def to_read(run: BenchmarkRun, measured: Evaluation) -> tuple[str, ...]:
    """Keys of the questions whose answers are read of each method: the first captions of the plan.

    None where none can be read and nobody asked for it; a `Notice` says why.

    Raises
    ------
    BadInput : they were asked for (`--fluent`), and cannot be read
    """
    asked = run.config.fluent
    captions = [item.key for item in usable(run.plan.items) if measured.is_caption(item.key)]
    why = "" if asked == 0 else _why_not(run) if captions else f"{run.config.benchmark} asks for no caption; leave --fluent out"
    if why and asked is not None:
        raise BadInput(f"--fluent {asked}: {why}.")
    if why and captions:
        warnings.warn(f"NLL and broken captions are left out: {why}.", Notice, stacklevel=2)
    return () if why else tuple(captions[: FIRST if asked is None else asked])


def cost(run: BenchmarkRun, keys: Sequence[str], home: Path) -> str:
    """One line on what is read; none where nothing is."""
    from analysis.language.fluency import LONGEST
    from analysis.language.models import PACKAGED

    if not keys:
        return ""
    told = f"{PACKAGED} reads the first {len(keys):,} captions of each method, and {BASELINE}'s with their words shuffled"
    kept = f"; what stands in {kept_in(home)} is not read again" if kept_in(home).exists() else ""
    return f"{told}: {len(keys) * (len(run.methods) + 1):,} texts of at most {LONGEST} tokens, on the CPU{kept}"


def judged(run: BenchmarkRun, keys: Sequence[str], answered: Mapping[str, Sequence[AnswerLine]], read: "Reader") -> Fluent:
    """NLL and broken of the captions with these keys, and their paired changes from the baseline, corrected over themselves alone.

    Parameters
    ----------
    answered : by method, its answers in the order of the plan
    read : the language model
    """
    from analysis.language.fluency import LONGEST, shuffled
    from analysis.language.limits import calibration
    from analysis.language.metric import Fluency
    from analysis.language.models import PACKAGED

    chosen, config = set(keys), run.config
    lines = {name: first for name, found in answered.items() if (first := [line for line in found if line.key in chosen])}
    plain = [line.caption for line in lines.get(BASELINE, ())]
    nll = read(plain, BASELINE) if plain else {}
    if not np.isfinite([*nll.values()]).any():
        why = "no caption of two tokens" if plain else "no answer yet"
        return Fluent(notes=[f"NLL and broken captions are left out: {BASELINE} has {why}"] if keys else [])
    for name, found in lines.items():
        nll |= read([line.caption for line in found], name)
    other = shuffled(plain, config.seed)
    nll_other = read(other, f"{BASELINE}, words shuffled")
    rule = calibration(plain, np.array([nll[text] for text in plain]), other, np.array([nll_other[text] for text in other]))
    metric = Fluency(config.benchmark, nll, rule["limit"], PACKAGED)
    records = {name: metric.records([of_an_image(line) for line in found]) for name, found in lines.items()}
    measures = [{"name": name, "unit": one.unit, "primary": False} for name, one in metric.measures.items()]
    about = {"model": PACKAGED, "captions": len(keys), "longest": LONGEST, **rule}
    named = {name: [line.key for line in found] for name, found in lines.items()}
    by_key = {name: dict(zip(named[name], found, strict=True)) for name, found in records.items()}
    return Fluent(_compared(metric, records, named, run), by_key, measures, about, [*_fewer(records, len(keys)), *_unread(records)])


def _compared(metric: Any, records: Mapping[str, Sequence[Record]], keys: Mapping[str, Sequence[str]], run: BenchmarkRun) -> list[Row]:
    from analysis.metrics.aggregate import compare
    from analysis.stats.multiplicity import family_size

    rows = compare(metric, records, BASELINE, keys=keys, level=run.config.level, seed=run.config.seed)
    tested = np.array([row.p for row in rows if row.test], dtype=float)
    return [replace(row, adjustment=f"Holm over {family_size(tested)} tests of fluency") if row.test else row for row in rows]


def _fewer(records: "Mapping[str, Sequence[FluencyRecord]]", asked: int) -> list[str]:
    return [
        f"{name}: {len(found)} of the first {asked} captions are there and were read"
        for name, found in records.items()
        if len(found) < asked
    ]


def _unread(records: "Mapping[str, Sequence[FluencyRecord]]") -> list[str]:
    short = {name: sum(math.isnan(one.nll) for one in found) for name, found in records.items()}
    return [
        f"{name}: {many} of {len(records[name])} captions have fewer than two tokens and no NLL" for name, many in short.items() if many
    ]


def _why_not(run: BenchmarkRun) -> str:
    """Why captions cannot be read; "" if they can."""
    from analysis.language.reading import unreadable

    if BASELINE not in [one.name for one in run.methods]:
        return (
            f"what is broken is told by the captions of {BASELINE}, which is not among the methods; add it to --methods, or give --fluent 0"
        )
    return unreadable()
