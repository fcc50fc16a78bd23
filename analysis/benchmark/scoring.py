"""From captions to scores: a results file a method, and one of all methods with paired tests against the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from analysis.benchmark.config import UNNUMBERED, BenchmarkConfig
from analysis.benchmark.evaluation import Evaluation
from analysis.benchmark.fluent import Fluent, judged, kept_in
from analysis.benchmark.names import BASELINE
from analysis.benchmark.omission import beyond_omission
from analysis.benchmark.plan import Plan
from analysis.benchmark.planning import BenchmarkRun, usable
from analysis.benchmark.store import AnswerLine
from analysis.metrics.metric import Record
from analysis.stats.rows import Row
from probes.command.cli import BadInput
from probes.command.files import write_bytes


def evaluation_of(run: BenchmarkRun) -> Evaluation:
    """The metric with the ground truth of the plan's usable questions.

    Raises
    ------
    BadInput : an option or file of the metric cannot be used
    """
    return run.benchmark.measured(usable(run.plan.items))


def scored(
    run: BenchmarkRun,
    measured: Evaluation,
    lines: Mapping[str, Mapping[str, AnswerLine]],
    aside: Sequence[Mapping[str, Any]],
    home: Path,
    fluent: Sequence[str] = (),
) -> dict[str, Any]:
    """Score every method's answers and write scores/<method>.json and benchmark.json; returns what the latter says.

    Parameters
    ----------
    home : the folder of both
    fluent : keys of the questions whose answers a language model reads too

    Raises
    ------
    BadInput : no method has an answer
    """
    from analysis.language.kept import packaged_reader
    from analysis.metrics.aggregate import compare, score
    from analysis.question.question import read_results
    from analysis.score.results import ScoredFile, as_text
    from analysis.stats.rows import as_json

    config = run.config
    answered = {one.name: [line for line in _in_order(run.plan, lines[one.name]) if not line.error] for one in run.methods}
    if not any(answered.values()):
        raise BadInput(f"{config.out}: there is no answer to score; run without --rescore.")
    counted = {name: [line for line in found if measured.counts(line.image_id)] for name, found in answered.items()}
    records, notes = {}, {}
    for name, found in counted.items():
        if found:
            records[name], notes[name] = _records(name, measured, found)
    if not records:
        raise BadInput(f"{config.benchmark} counts no image of this plan ({'; '.join(measured.notes)}); choose others.")
    origin = _origin(run, measured)
    beside = judged(run, fluent, answered, packaged_reader(kept_in(home))) if fluent else Fluent()
    for one in run.methods:
        if one.name in records:
            worth = score(measured.metric, records[one.name], level=config.level, seed=config.seed)
            files = [line.file_name for line in counted[one.name]]
            read = beside.beside(one.name, counted[one.name], records[one.name])
            told = ScoredFile(measured.metric, worth, read, config.level, [*measured.notes, *notes[one.name]], files=files)
            about = {**origin, "method": {"name": one.name, "options": one.describe()}}
            write_bytes(home / "scores" / f"{one.file}.json", as_text(told, about).encode())
    if BASELINE in records:
        keys = {name: [line.key for line in counted[name]] for name in records}
        rows = compare(measured.metric, records, BASELINE, keys=keys, level=config.level, seed=config.seed)
    else:
        rows = _alone(measured, records, config)
    beyond, left_out = beyond_omission(measured.metric, counted, records, level=config.level, seed=config.seed)
    path = home / "benchmark.json"
    more = {
        "methods": [_method(run, one.name, lines[one.name], records.get(one.name, ())) for one in run.methods],
        "measures": [
            {"name": name, "unit": measure.unit, "primary": name in measured.metric.primary}
            for name, measure in measured.metric.measures.items()
        ]
        + list(beside.measures),
        "set_aside": list(aside),
        "about": {
            "benchmark": config.benchmark,
            "mode": measured.metric.mode,
            "subject": run.plan.subject,
            "notes": [
                *measured.notes,
                *(f"{name}: {note}" for name, told in notes.items() for note in told),
                *beside.notes,
                *left_out,
            ],
            "fluency": beside.about,
            "questions": len(run.plan.items),
            "images": len({item.image_id for item in run.plan.items}),
        },
    }
    write_bytes(path, as_json([*rows, *beside.rows, *beyond], origin, **more).encode())
    return read_results(path)


def _records(name: str, measured: Evaluation, lines: Sequence[AnswerLine]) -> tuple[Sequence[Record], list[str]]:
    """A method's records, and what was told of its answers."""
    from analysis.score.notes import noted

    with noted() as notes:
        try:
            return measured.metric.records([measured.answer(line) for line in lines]), notes
        except BadInput as error:
            raise BadInput(f"{name}: {error}") from error


def _in_order(plan: Plan, lines: Mapping[str, AnswerLine]) -> list[AnswerLine]:
    return [lines[item.key] for item in plan.items if item.key in lines]


def _alone(measured: Evaluation, records: Mapping[str, Sequence[Record]], config: BenchmarkConfig) -> list[Row]:
    """Levels without comparison: nothing is tested where the baseline did not run."""
    from analysis.metrics.aggregate import compare

    rows: list[Row] = []
    for name, found in records.items():
        rows += compare(measured.metric, {name: found}, name, level=config.level, seed=config.seed)
    return rows


def _method(run: BenchmarkRun, name: str, lines: Mapping[str, AnswerLine], records: Sequence[Record]) -> dict[str, Any]:
    """How a method's answers came about: how many, how long, how fast, how strong."""
    good = [line for line in lines.values() if not line.error]
    rates = [line.rate for line in good if line.rate is not None]
    longest = run.plan.max_new_tokens
    return {
        "name": name,
        "options": run.plan.methods.get(name),
        "answers": len(good),
        "scored": len(records),
        "missing": len([item for item in run.plan.items if not item.error]) - len(lines),
        "set_aside": len(lines) - len(good),
        "tokens": sum(line.tokens for line in good) / len(good) if good else float("nan"),
        "at_limit": sum(line.tokens >= longest for line in good) / len(good) if good else float("nan"),
        "seconds": sum(line.seconds for line in good) / len(good) if good else float("nan"),
        "rate": sum(rates) / len(rates) if rates else float("nan"),
    }


def _origin(run: BenchmarkRun, measured: Evaluation) -> dict[str, Any]:
    from probes.command.provenance import provenance

    plan, config = run.plan, run.config
    left_out: dict[str, Any] = {one.name: one.default for one in fields(config) if one.name in UNNUMBERED}
    decides = replace(config, **left_out)
    model = {"id": plan.subject, "revision": plan.revision, "dtype": plan.dtype, "device": plan.device}
    return {**provenance(decides), "model": model, "data": dict(measured.origin), "plan": dict(plan.origin)}
