"""The dry run: reports what a run would do and need, without generating, loading weights or writing anything."""

from pathlib import Path

from analysis.benchmark.fluent import cost, to_read
from analysis.benchmark.planning import BenchmarkRun, plan_file
from analysis.benchmark.scoring import evaluation_of
from analysis.benchmark.store import AnswerStore
from probes.command.cli import BadInput


def dry_run(run: BenchmarkRun, home: Path) -> str:
    """A few lines: what is asked, what is there already, what is written (scores, table and figure in `home`), how much memory it needs."""
    config, plan = run.config, run.plan
    images = len({item.image_id for item in plan.items})
    choice = f"drawn at temperature {plan.temperature:g}" if plan.sample else "greedy"
    lines = [
        f"{config.benchmark}: {len(plan.items):,} questions about {images:,} images, the first: {plan.items[0].prompt!r}",
        f"subject {plan.subject} on {config.device} in {plan.dtype}, engine {config.engine}",
        f"{choice}, at most {plan.max_new_tokens} new tokens, seed {plan.seed}",
    ]
    total = 0
    for one in run.methods:
        captions = AnswerStore(config.out / "captions" / f"{one.file}.jsonl")
        there = captions.read()
        open_batches = [batch for batch in plan.batches if any(item.key not in there for item in batch)]
        answers = sum(len(batch) for batch in open_batches)
        total += answers
        lines.append(
            f"{one.name}: {len(open_batches):,} batches of {plan.batch_size}, {answers:,} answers, "
            f"at most {answers * plan.max_new_tokens:,} tokens{f', each with {one.cost}' if one.cost else ''} -> {captions.path}"
        )
    measured = evaluation_of(run)
    lines.append(f"scored with mode {measured.metric.mode}")
    lines += filter(None, [cost(run, to_read(run, measured), home)])
    lines.append(f"then {plan_file(config.out)}, {home / 'benchmark.json'}, {home / 'table.md'}, {home / config.benchmark}.svg and .png")
    lines.append(memory(run) if total else "nothing is left to ask: no model is loaded")
    return "\n".join([*lines, "dry run: nothing was done"])


def memory(run: BenchmarkRun) -> str:
    """One line on what a worker's model and cache take."""
    from analysis.answering.memory import estimate, prompt_tokens
    from probes.subjects.item import Item

    plan, at_first = run.plan, []
    for item in plan.items[: plan.batch_size]:
        try:
            at_first.append(Item(item.image_id, run.benchmark.source.image(item.file), item.prompt))
        except BadInput:
            continue  # a run sets it aside
    if not at_first:
        weights = estimate(plan.subject, plan.dtype, 1, 1, 1).only_weights
        told = f"none of the first {plan.batch_size} images is there, so the prompt's length is not known"
        return f"memory: {told}; the weights take {weights}"
    longest = prompt_tokens(plan.subject, at_first)
    found = estimate(plan.subject, plan.dtype, plan.batch_size, longest, plan.max_new_tokens)
    return f"memory of a worker, estimated for prompts of {longest} tokens: {found}"
