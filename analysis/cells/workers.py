"""Runs cells in several processes of one torch thread each; a failing cell loses no other, and an interrupt keeps what is finished."""

import os
import signal
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from tqdm import tqdm

from analysis.cells.cells import Cell
from analysis.cells.run import AppliedRates, Bench, CellsJob
from analysis.cells.store import Place, read_applied, write_result
from probes.command.cli import Notice, one_line, quiet
from probes.command.processes import imported
from probes.subjects import Subject


@dataclass(frozen=True)
class Task:
    """A cell to run and the files that it reads and leaves."""

    cell: Cell
    place: Place

    @property
    def ready(self) -> bool:
        """Whether its first pass lies there, where it needs one."""
        return self.place.first is None or self.place.first.is_file()


@dataclass(frozen=True)
class NotLoaded:
    """What a process answers that could not load its subject, in one line."""

    why: str


def work(job: CellsJob, tasks: Sequence[Task], workers: int, subject: Subject | None = None, debug: bool = False) -> dict[str, str]:
    """Run the tasks, as many at a time as there are workers; every finished cell is on disk before the next one begins.

    Parameters
    ----------
    subject : used where there is one worker only, which is this process; loaded if None
    debug : tell the trace of an error, not its message alone

    Returns
    -------
    one line on each cell that failed, by its name
    """
    with tqdm(total=len(tasks), desc="cells", disable=None) as bar:
        if workers == 1 or len(tasks) < 2:
            return _alone(Bench(job, subject), tasks, bar, debug)
        return _together(job, tasks, min(workers, len(tasks)), bar, debug)


def perform(bench: Bench, task: Task, firsts: dict[str, list[AppliedRates]]) -> None:
    """Run one cell and write it; `firsts` keeps first passes that were read."""
    first = None
    if task.place.first is not None:
        path = str(task.place.first)
        first = firsts[path] = firsts[path] if path in firsts else read_applied(task.place.first)
    write_result(task.place, task.cell, *bench.run(task.cell, first))


def _alone(bench: Bench, tasks: Sequence[Task], bar: tqdm, debug: bool) -> dict[str, str]:
    failed: dict[str, str] = {}
    firsts: dict = {}
    for task in sorted(tasks, key=lambda task: task.cell.two_pass):  # the pass that others need comes before them
        bar.set_postfix_str(task.cell.name)
        error = _tried(bench, task, firsts, debug)
        if error:
            failed[task.cell.name] = error
        bar.update()
    return failed


def _together(job: CellsJob, tasks: Sequence[Task], workers: int, bar: tqdm, debug: bool) -> dict[str, str]:
    context = imported()
    processes: dict[Connection, BaseProcess] = {}
    # torch reads the number of threads as it is imported, which happens before any code of ours runs in the process
    threads, os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS"), "1"

    def start() -> Connection:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, job, debug), daemon=True)
        process.start()
        theirs.close()
        processes[ours] = process
        return ours

    try:
        return _dispatch(list(tasks), [start() for _ in range(workers)], start, bar)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.join()
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = threads


def _dispatch(waiting: list[Task], free: list[Connection], start: Callable[[], Connection], bar: tqdm) -> dict[str, str]:
    """Hand tasks to free workers until none is left.

    A worker that dies costs its cell and is replaced; one that cannot load its subject leaves its cell to the others.
    """
    failed: dict[str, str] = {}
    not_loaded = ""
    busy: dict[Connection, Task] = {}
    while waiting or busy:
        for connection in list(free):
            task = next((task for task in waiting if task.ready), None)
            if task is not None:
                waiting.remove(task)
                with suppress(OSError):  # a worker that is gone already is found out below
                    connection.send(task)
                busy[connection] = task
                free.remove(connection)
        if not busy:
            return failed | {task.cell.name: "was not run, since its first pass failed." if free else not_loaded for task in waiting}
        ready: list[Any] = wait(list(busy))
        for connection in ready:
            task = busy.pop(connection)
            try:
                error = connection.recv()
                if isinstance(error, NotLoaded):
                    waiting.insert(0, task)
                    not_loaded = error.why
                    continue
                free.append(connection)
            except (EOFError, OSError):  # which of the two depends on whether it had taken its task
                error = "its process was ended from outside, perhaps for want of memory: use fewer --workers or a smaller --batch-size."
                free.append(start())
            if error:
                failed[task.cell.name] = error
            bar.set_postfix_str(task.cell.name)
            bar.update()
    if not_loaded:
        warnings.warn(f"a process could not load the subject, and the others ran its cells: {not_loaded}", Notice, stacklevel=2)
    return failed


def _serve(connection: Connection, job: CellsJob, debug: bool) -> None:
    """A worker's life: take a task, run it, say whether it went well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal interrupts all; the parent ends its workers in its own time
    import torch

    torch.set_num_threads(1)
    quiet(progress=False)
    try:
        bench = Bench(job)
    except Exception as error:  # such as memory for one copy of the model and not for another
        with suppress(EOFError, OSError):  # the parent is gone
            connection.recv()
            connection.send(NotLoaded(traceback.format_exc() if debug else one_line(error)))
        return
    firsts: dict = {}
    while True:
        try:
            task = connection.recv()
        except EOFError:  # the parent is gone
            return
        connection.send(_tried(bench, task, firsts, debug))


def _tried(bench: Bench, task: Task, firsts: dict[str, list[AppliedRates]], debug: bool) -> str:
    try:
        perform(bench, task, firsts)
        return ""
    except Exception as error:  # whatever it is, it belongs to this cell, and the others go on
        return traceback.format_exc() if debug else one_line(error)
