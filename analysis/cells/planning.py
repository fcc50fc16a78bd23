"""What a run needs before it begins: the subject, its images, the cells of the plan, and which of them are still to be run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from analysis.cells.cells import Cell
from analysis.cells.config import CellsConfig
from analysis.cells.names import BASELINE, PAPER
from analysis.cells.plan_setting import PlanSetting
from analysis.cells.run import CellsJob
from analysis.cells.store import CellStore
from analysis.cells.workers import Task
from analysis.question.images import Shown, shown
from kvsmooth.decoding.attention import decoder_of
from kvsmooth.sinks import SINKS
from probes.command.cli import BadInput, one_line
from probes.command.provenance import digest, versions
from probes.subjects import Subject, load_subject


@dataclass(frozen=True)
class Material:
    """A run before it begins."""

    subject: Subject
    job: CellsJob
    store: CellStore
    plan: tuple[Cell, ...]
    shown: Shown
    layers: int


def material(config: CellsConfig, cells: Callable[[PlanSetting], Sequence[Cell]], split: str = "test") -> Material:
    """Load what decides the cells, and plan them.

    Parameters
    ----------
    cells : makes the plan, of what must be known of method and subject
    split : of a bundled subject's scenes

    Raises
    ------
    BadInput : the subject cannot be loaded or smoothed, its images or what is in them cannot be used, or the options name no cells
    """
    seen = shown(config, config.annotations, split)  # first: told at once, where a model takes its time to load
    subject = load_subject(config.subject, config.device, config.dtype)
    base = {"lambda_ref": config.lambda_ref, "exact": config.exact}
    own = seen.items if config.image_folder is not None or split != "test" else None  # the workers draw test scenes for themselves
    asked = (config.subject, len(seen.items), config.prompt, config.batch_size, config.max_new_tokens)
    job = CellsJob(*asked, base, config.device, config.dtype, own)
    setting = PlanSetting(config.lambda_ref, len(decoder_of(subject.model).layers), detectors=own_options(subject))
    try:
        plan = tuple(cells(setting))
    except ValueError as error:
        raise BadInput(str(error)) from error
    refuse_unserved([cell for cell in plan if not config.only or cell.name in (*config.only, PAPER)], base, subject.model)
    identity = {
        "revision": subject.revision,
        "scenes": digest(item.pixels().tobytes() for item in seen.items),
        **{name: getattr(job, name) for name in ("images", "prompt", "batch_size", "max_new_tokens", "base", "device", "dtype")},
        "versions": {name: versions().get(name) for name in ("torch", "transformers")},
    }
    return Material(subject, job, CellStore(config.store, identity, plan), plan, seen, setting.layers)


def refuse_unserved(cells: Sequence[Cell], base: Mapping[str, Any], model: Any) -> None:
    """Open every cell at the model, of cells of two passes the first: refused now, not when others have described all images.

    Raises
    ------
    BadInput : one that the model cannot be run with
    """
    for cell in cells:
        try:
            method = (cell.source or cell).method(base)
            with nullcontext() if method is None else method(model):
                pass
        except ValueError as error:
            raise BadInput(f"cell {cell.name}: {one_line(error)} Name the cells that can be run by --only.") from error


def own_options(subject: Subject) -> dict[str, dict]:
    """Options of detectors that belong to the subject: which of its tokens are punctuation."""
    found: Any = SINKS.get("punctuation")
    return {} if found is None else {"punctuation": {"ids": list(found.of(subject.tokenizer).ids)}}


def task_list(config: CellsConfig, plan: Sequence[Cell], store: CellStore) -> list[Task]:
    """The cells to run, those first that others wait for: what is not finished, or `--only` and what that needs.

    Raises
    ------
    BadInput : `--only` names a cell that the plan does not have
    """
    names = [cell.name for cell in plan]
    if unknown := [name for name in config.only if name not in names]:
        raise BadInput(f"--only {unknown[0]}: the plan has no such cell; it has {', '.join(names)}.")
    asked = [cell for cell in plan if cell.name in config.only] or [cell for cell in plan if not store.finished(cell)]
    sources = [cell.source.options for cell in asked if cell.source is not None]
    needed = [cell for cell in plan if cell.name == BASELINE or cell.options in sources]
    chosen = [cell for cell in plan if cell in asked or (cell in needed and not store.finished(cell))]
    first = {BASELINE: 0, PAPER: 1}
    return [Task(cell, store.place(cell)) for cell in sorted(chosen, key=lambda cell: first.get(cell.name, 3 if cell.two_pass else 2))]
