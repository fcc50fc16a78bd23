"""Processes that share their imports."""

import multiprocessing
import os
import resource
import subprocess
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


SPENDS = """
import time
from probes.command import processes

def spend(seconds):
    begin = time.process_time()
    while time.process_time() < begin + seconds:
        pass

if __name__ == "__main__":
    processes.IMPORTED.clear()  # what the server imports takes longer than its process
    process = processes.imported().Process(target=spend, args=(0.5,))
    process.start()
    process.join()
    print(time.process_time())
"""


@pytest.mark.slow
def test_what_the_processes_took_is_counted_as_this_ones_children(tmp_path):
    """As `python -m analysis.regenerate` and `make`'s own clock count it."""
    (tmp_path / "spends.py").write_text(SPENDS)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, tmp_path / "spends.py"]
    done = subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": os.getcwd()}, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime >= 0.5 + float(done.stdout)
