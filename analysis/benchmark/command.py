"""Runs a benchmark: plan, generate what is missing, score, draw; each step leaves its file, so that an interrupted run resumes."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.destination import placed
from probes.command.cli import BadInput, Notice, quiet
from probes.command.terminal import say


def perform(config: BenchmarkConfig) -> None:
    """Run a benchmark, or what of it the options ask for."""
    config, home = placed(config)
    if config.redraw:
        show(home, read(home))
        return
    from analysis.benchmark.planning import planned
    from analysis.benchmark.store import alone

    quiet()
    if config.dry_run:
        from analysis.benchmark.dry_run import dry_run
        from analysis.benchmark.trial import refuse_without_weights

        run = planned(config)
        refuse_without_weights(run.plan.subject, run.plan.dtype, run.methods)
        say(dry_run(run, home))
        return
    with alone(config.out):
        found = answered_and_scored(config, home)
    show(home, found)


def answered_and_scored(config: BenchmarkConfig, home: Path) -> dict[str, Any]:
    """Ask what has no answer yet, and score all answers; scores go to `home`."""
    from analysis.benchmark.fluent import to_read
    from analysis.benchmark.generation import Generation, tell_set_aside
    from analysis.benchmark.planning import looked_at, plan_file, planned
    from analysis.benchmark.scoring import evaluation_of, scored
    from analysis.benchmark.store import AnswerStore
    from analysis.benchmark.trial import refuse_without_weights

    run = planned(config)
    config = run.config
    if not config.rescore:
        refuse_without_weights(run.plan.subject, run.plan.dtype, run.methods)
        if run.new:
            plan = looked_at(run.plan, run.benchmark.source)
            run = replace(run, plan=replace(plan, revision=_revision(config.subject, plan.revision)))
        run.plan.write(plan_file(config.out))
    # before anything is asked: what cannot be scored is told now, not after a night of answers
    measured = evaluation_of(run)
    fluent = to_read(run, measured)
    asking = [Generation(run.plan, one, AnswerStore(config.out / "captions" / f"{one.file}.jsonl"), config.retry) for one in run.methods]
    if not config.rescore:
        _ask(run, asking)
    lines = {one.method.name: one.captions.read() for one in asking}
    return scored(run, measured, lines, tell_set_aside(run.plan, lines), home, fluent)


def read(home: Path) -> dict[str, Any]:
    """The results of a former run.

    Raises
    ------
    BadInput : there are none
    """
    from analysis.question.question import read_results

    path = home / "benchmark.json"
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file to redraw from; run without --redraw first.")
    found = read_results(path)
    if missing := {"about", "measures", "methods", "set_aside"} - found.keys():
        raise BadInput(f"{path}: is no benchmark's results file, it has no {min(missing)!r}; remove it and run without --redraw.")
    return found


def show(home: Path, found: dict[str, Any]) -> None:
    """Write table.md and the figure, and print the table and where all lies."""
    from analysis.benchmark.figures import draw
    from analysis.benchmark.table import markdown
    from probes.command.files import write_bytes

    text = markdown(found)
    write_bytes(home / "table.md", text.encode())
    draw(found, home)
    say(f"{text.rstrip()}\n\n-> {home}")


def _ask(run: Any, asking: list) -> None:
    config, waiting = run.config, [one for one in asking if one.missing()]
    if not waiting:
        return
    if (now := _revision(config.subject, "")) != run.plan.revision:
        raise BadInput(f"subject {config.subject}: is now {now}, the plan has {run.plan.revision}; restore it, or choose another --out.")
    _tell_versions(run.plan)
    from analysis.answering.answering import Answering
    from analysis.answering.subject_cache import SharedAnswering, SubjectCache
    from analysis.benchmark.trial import try_a_step
    from analysis.engine import engine

    options = {name: getattr(config, name) for name in ("subject", "device", "dtype", "max_new_tokens", "sample", "temperature", "seed")}
    gpus = 0 if config.engine == "ray" and run.plan.device == "cpu" else None  # or each of the workers would wait for a GPU
    works = engine(config.engine, address=config.address, workers=config.workers, gpus_per_worker=gpus)
    first = next(waiting[0].payloads(waiting[0].missing()[:1], run.benchmark.source))
    kept = SubjectCache()
    try_a_step([one.method for one in waiting], SharedAnswering(Answering(**options), kept), works, first)
    for one in waiting:
        one.run(SharedAnswering(Answering(**options, method=one.method.options), kept), works, run.benchmark.source)


def _revision(subject: str, planned: str) -> str:
    from probes.subjects.loading import revision_of

    found = revision_of(subject)
    if planned and found != planned:
        raise BadInput(f"subject {subject}: is {found}, the plan was made with {planned}; pin that revision.")
    return found


def _tell_versions(plan: Any) -> None:
    from probes.command.provenance import versions

    made, now = plan.origin.get("versions", {}), versions()
    other = [f"{name} {made[name]} -> {now[name]}" for name in made if name in now and made[name] != now[name]]
    if other:
        warnings.warn(f"the plan was made with other versions ({', '.join(other)}); answers may differ.", Notice, stacklevel=2)
