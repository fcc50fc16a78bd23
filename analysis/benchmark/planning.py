"""The plan of a run: made of the options, taken from a former run, or gone on with."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from analysis.benchmark.benchmark import Benchmark
from analysis.benchmark.benchmarks import benchmark_class
from analysis.benchmark.config import DECODING, FROM_PLAN, BenchmarkConfig
from analysis.benchmark.images import Source, checksum
from analysis.benchmark.methods import BenchmarkMethod, methods
from analysis.benchmark.plan import Plan, PlanItem, read_plan
from probes.command.cli import BadInput, one_line
from probes.subjects.item import Item


@dataclass(frozen=True)
class BenchmarkRun:
    """A plan in its folder.

    Attributes
    ----------
    config : the options, those of the plan where it was given
    plan : what is asked
    benchmark : that asks and scores
    methods : that this run asks, in the order of the table
    new : whether nothing was answered to the plan in this folder, so that its images are to be looked at
    """

    config: BenchmarkConfig
    plan: Plan
    benchmark: Benchmark
    methods: tuple[BenchmarkMethod, ...]
    new: bool = False


def plan_file(out: Path) -> Path:
    """Where the plan of a folder is."""
    return out / "plan.json"


def former(out: Path) -> Plan | None:
    """The plan whose answers a folder holds; one to which nothing was answered, perhaps for an option in it, stands in nobody's way.

    Raises
    ------
    BadInput : the plan is damaged, or there are answers and no plan
    """
    if not any(path.stat().st_size for path in (out / "captions").glob("*.jsonl")):
        return None
    if not plan_file(out).exists():
        raise BadInput(f"{out / 'captions'}: holds answers, and {plan_file(out)} is missing; put it back, or choose another --out.")
    return read_plan(plan_file(out))


def planned(config: BenchmarkConfig) -> BenchmarkRun:
    """The plan that the options describe, with the images' checksums; what lies in `out` goes on, or is refused.

    Raises
    ------
    BadInput : an option or file cannot be used, or `out` holds the captions of something else
    """
    there = former(config.out)
    given = there if config.rescore else read_plan(config.plan) if config.plan is not None else None
    if config.rescore and there is None:
        raise BadInput(f"{plan_file(config.out)}: no question of this plan has an answer, so nothing to score; leave out --rescore.")
    if given is not None:
        config = _as_planned(config, given)
    chosen = methods(config.methods)
    benchmark = benchmark_class(config.benchmark)(config, None if given is None else tuple(dict.fromkeys(i.image_id for i in given.items)))
    described = {one.name: one.describe() for one in chosen}
    if config.rescore:
        _same_questions(given, benchmark.asks, config)
        return BenchmarkRun(config, given, benchmark, tuple(chosen))
    if config.plan is not None:
        plan = replace(given, device=kind_of(config.device), methods=described)
    else:
        items = tuple(benchmark.items())
        decided = _decoding(config) | {"items": items, "methods": described, "origin": _origin(config)}
        plan = Plan(benchmark.asks, config.subject, "", kind_of(config.device), **decided)
    _same_questions(plan, benchmark.asks, config)
    if there is not None:
        plan = replace(plan, revision=there.revision)
        if misfit := there.misfit(plan):
            raise BadInput(f"{plan_file(config.out)}: holds the captions of another run ({misfit}); choose another --out.")
        return BenchmarkRun(config, there.with_methods(described), benchmark, tuple(chosen))
    return BenchmarkRun(config, plan, benchmark, tuple(chosen), new=True)


def looked_at(plan: Plan, source: Source) -> Plan:
    """The plan with the checksum of each image; those that cannot be read are set aside with the reason.

    What was set aside in a plan that is replayed stays so: with another item the batches would be others.

    Raises
    ------
    BadInput : not one image can be read, or one differs from the plan that is replayed
    """
    from tqdm import tqdm

    seen: dict[str, tuple[str, str]] = {}
    bar = tqdm(plan.items, desc="images", unit="image", disable=not sys.stderr.isatty())
    for item in bar:
        if item.file not in seen:
            seen[item.file] = ("", item.error) if item.error else _seen(item, source)
    items = tuple(replace(item, sha256=seen[item.file][0], error=seen[item.file][1]) for item in plan.items)
    for before, now in zip(plan.items, items, strict=True):
        if before.sha256 and before.sha256 != now.sha256:
            raise BadInput(f"{now.file}: {now.error or 'this image is not the one of the plan'}; a replay needs the same images.")
    if all(item.error for item in items):
        raise BadInput(f"none of the {len(seen)} images can be read, the first: {items[0].error}")
    return replace(plan, items=items)


def kind_of(device: str) -> str:
    """The kind of a device: numbers of cards decide nothing."""
    return "cuda" if device == "auto" else device.partition(":")[0]


def _seen(item: PlanItem, source: Source) -> tuple[str, str]:
    """Checksum and error of an image; one of them is empty."""
    try:
        image = source.image(item.file)
        Item(item.image_id, image).pixels()
        return checksum(image), ""
    except (BadInput, OSError) as error:
        return "", one_line(error)


def _decoding(config: BenchmarkConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in DECODING[1:]}


def _origin(config: BenchmarkConfig) -> dict[str, Any]:
    from probes.command.provenance import git_commit, versions

    told = {name: getattr(config, name) for name in ("benchmark", "images", "split", "prompt")}
    paths = {name: getattr(config, name) for name in ("annotations", "questions", "ids")}
    named = {name: None if path is None else path.name for name, path in paths.items()}
    return {**told, **named, "choice": f"seed {config.seed}, from sorted ids", "git_commit": git_commit(), "versions": versions()}


def _as_planned(config: BenchmarkConfig, plan: Plan) -> BenchmarkConfig:
    """The options with those of the plan; one that was given otherwise is refused."""
    defaults = {field.name: field.default for field in fields(config)}
    where = config.plan or plan_file(config.out)
    for name in FROM_PLAN:
        # an option that says what the plan says anyway does no harm
        asked, stored = getattr(config, name), getattr(plan, name) if name in DECODING else plan.origin.get(name)
        if asked not in (defaults[name], stored):
            raise BadInput(f"--{name.replace('_', '-')} {asked}: {where} decides this ({stored}); leave the option out.")
    changed: dict[str, Any] = {name: getattr(plan, name) for name in DECODING}
    if config.methods == defaults["methods"]:
        changed["methods"] = tuple(plan.methods)
    config = replace(config, **changed)
    for one in methods(config.methods):
        if one.name in plan.methods and plan.methods[one.name] != one.describe():
            raise BadInput(f"{where}: {one.name} meant other options when this was made; replay it with that version of the program.")
    return config


def _same_questions(plan: Plan, asks: str, config: BenchmarkConfig) -> None:
    if plan.asks != asks:
        raise BadInput(f"{config.plan or plan_file(config.out)}: asks for {plan.asks}, which {config.benchmark} does not; it asks {asks}.")


def usable(items: Sequence[PlanItem]) -> list[PlanItem]:
    """The items whose image can be read."""
    return [item for item in items if not item.error]
