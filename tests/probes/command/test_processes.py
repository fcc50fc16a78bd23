"""Processes that share their imports."""

import multiprocessing
import sys

import pytest

from probes.command.processes import IMPORTED, imported

LOADED = "torch", "transformers", *IMPORTED


def tell(connection):
    import threading

    connection.send(({name: name in sys.modules for name in LOADED}, threading.active_count()))


@pytest.mark.slow
def test_a_process_has_imported_and_computed_nothing():
    ours, theirs = imported().Pipe()
    process = imported().Process(target=tell, args=(theirs,))
    process.start()
    loaded, threads = ours.recv()
    process.join()
    assert (process.exitcode, loaded, threads) == (0, dict.fromkeys(LOADED, True), 1)


@pytest.mark.parametrize("lacking", ["a fork", "a fork that libraries bear"])
def test_elsewhere_each_imports_for_itself(lacking, monkeypatch):
    assert imported().get_start_method() == "forkserver"
    if lacking == "a fork":
        monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    else:
        monkeypatch.setattr(sys, "platform", "darwin")
    assert imported().get_start_method() == "spawn"
