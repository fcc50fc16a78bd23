"""Cells that several processes share: one that cannot load its subject leaves its cells to the others, and says why where there is none."""

import multiprocessing
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from tqdm import tqdm

from analysis.cells.cells import Cell
from analysis.cells.run import CellsJob
from analysis.cells.store import Place
from analysis.cells.workers import NotLoaded, Task, _dispatch, work
from probes.command.cli import Notice

WHY = "CUDA out of memory."


def worker(answer, done):
    """Our end of a pipe, at whose other end a thread takes tasks."""
    ours, theirs = multiprocessing.Pipe()

    def serve():
        with suppress(EOFError):
            while True:
                name = theirs.recv().cell.name
                said = answer(name)
                if said == "":
                    done.append(name)
                theirs.send(said)
                if isinstance(said, NotLoaded):
                    return

    threading.Thread(target=serve, daemon=True).start()
    return ours


def tasks(*names):
    return [Task(Cell(name, "ladder"), Place(Path(name))) for name in names]


@pytest.mark.parametrize("first", [0, 1])
def test_a_process_that_cannot_load_costs_no_cell_while_another_can(first):
    done = []
    workers = [worker(lambda _: NotLoaded(WHY), done), worker(lambda _: "", done)]
    free = workers[::-1] if first else workers
    with pytest.warns(Notice, match=rf"^a process could not load the subject, and the others ran its cells: {WHY}$"):
        assert _dispatch(tasks("a", "b", "c"), free, lambda: pytest.fail("none has died"), tqdm(disable=True)) == {}
    assert sorted(done) == ["a", "b", "c"]


def test_where_none_can_load_every_cell_says_why():
    free = [worker(lambda _: NotLoaded(WHY), []) for _ in range(2)]
    assert _dispatch(tasks("a", "b", "c"), free, lambda: pytest.fail("none has died"), tqdm(disable=True)) == dict.fromkeys("abc", WHY)


@pytest.mark.slow
def test_processes_that_cannot_load_say_why(tmp_path):
    asked = [Task(Cell(name, "ladder"), Place(tmp_path / name)) for name in "ab"]
    job = CellsJob("no/such-model", 1, "Describe.", 1, 4, {"lambda_ref": 0.7, "exact": False}, "cpu", "float32", None)
    failed = work(job, asked, 2)
    assert failed.keys() == {"a", "b"}
    assert all(why.startswith("subject no/such-model: neither emoji nor smollm2") for why in failed.values())
