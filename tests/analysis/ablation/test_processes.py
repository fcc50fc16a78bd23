"""The command in two processes: one of them killed, or all interrupted."""

import contextlib
import json
import os
import signal
import threading
from dataclasses import replace
from functools import partial
from unittest import mock

import numpy as np
import pytest

from analysis.ablation import command
from analysis.cells import planning, workers
from analysis.cells.names import PAPER
from probes.command.cli import BadInput
from tests.analysis.ablation.braked import serve
from tests.processes import all_end, until


@pytest.fixture
def config(config, subject, monkeypatch):
    """Of the whole subject, which a worker in a process of its own loads."""
    monkeypatch.setattr(planning, "load_subject", lambda *_: subject)
    return config


@pytest.fixture
def braked(tmp_path):
    """Has workers stop in a cell, and does something to the one that does, from a thread."""
    folder = tmp_path / "braked"
    folder.mkdir()

    @contextlib.contextmanager
    def made(cell, act):
        over = threading.Event()

        def acting():
            until(lambda: any(folder.iterdir()) or over.is_set())
            for path in folder.iterdir():
                act(int(path.name))

        thread = threading.Thread(target=acting, daemon=True)
        thread.start()
        try:
            with mock.patch.object(workers, "_serve", partial(serve, cell, folder)):
                yield
        finally:
            over.set()  # where no worker came to the cell, the test fails with what ended the block, and waits for nothing
            thread.join()

    return made


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_two_workers_one_of_them_killed_do_what_one_does(config, tmp_path, braked):
    beside = replace(config, workers=2, store=tmp_path / "other", out=tmp_path / "beside")
    command.perform(config)
    failed = r"1 of the cells failed, the others are kept and drawn: cell permuted: its process was ended from outside"
    with braked("permuted", lambda process: os.kill(process, signal.SIGKILL)), pytest.raises(BadInput, match=failed):
        command.perform(beside)
    assert len(list(beside.store.glob("*.json"))) == 4, "five cells less one"
    command.perform(replace(beside, workers=1))
    one, two = (json.loads((folder / "ablation.json").read_text())["results"] for folder in (config.out, beside.out))
    assert one == two
    for path in config.store.glob("*.npz"):
        np.testing.assert_equal(*(dict(np.load(folder / path.name)) for folder in (config.store, beside.store)))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_an_interrupt_of_all_processes_ends_the_workers_and_keeps_what_is_finished(config, braked):
    ended = []

    def interrupt(process):
        until(lambda: list(config.store.glob("baseline*.json")))
        ended.append(process)
        os.kill(process, signal.SIGINT)  # as a terminal does; the worker leaves that to its parent
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), braked(PAPER, interrupt):
        command.perform(replace(config, policies=(), places=("keys",), workers=2))
    assert all_end(ended)
    assert list(config.store.glob("baseline*.json"))
