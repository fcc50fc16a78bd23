"""Batches on a Ray cluster of this machine: equal to this process, whatever happens to the workers."""

import importlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import pytest

from analysis.engine import LocalEngine, RayEngine, cluster, dispatch
from analysis.engine.interrupt import Interrupt
from probes.command.cli import BadInput, Notice
from tests.analysis.engine.workers import (
    Squares,
    batches,
    by_key,
    cannot_be_made,
    dies_while_made,
    imported,
    processes_of,
    unpicklable_results,
)
from tests.processes import PATIENCE, all_end, of_session, started, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ray():
    patch = pytest.MonkeyPatch()
    patch.setattr(cluster, "OBJECT_STORE", 80 * 2**20)
    with cluster.connected(None, cpus=2, gpus=0) as ray:
        yield ray
    patch.undo()


@pytest.fixture
def two(ray):
    return RayEngine(workers=2)


@pytest.fixture
def one(ray):
    """Where what is shown is one worker's, one will do: each takes a second of the processor to start."""
    return RayEngine(workers=1)


def said(found):
    return {key: (outcome.result, outcome.error) for key, outcome in found.items()}


def test_items_that_raise_or_break_or_kill_are_set_aside_and_no_other(one):
    bad = {"raises": (3,), "damages": (9,)}
    found = by_key(one.run(Squares(**bad, kills=(14,)), iter(batches(24, 4))))
    expected = said(by_key(LocalEngine().run(Squares(**bad), batches(24, 4))))
    assert found.pop("14").error == dispatch.LOST
    expected.pop("14")
    assert said(found) == expected
    assert [found[str(i)].batch for i in (2, 3, 8, 12, 20)] == [1, 1, 1, 1, 4], "what failed with others was tried alone"
    assert expected["9"][1] == "RuntimeError: a kernel failed on 9"


def test_a_worker_killed_in_mid_run_loses_and_repeats_nothing(two, tmp_path):
    make, found, killed = Squares(seconds=0.1, folder=tmp_path), [], None
    for outcomes in two.run(make, iter(batches(48, 3))):
        found.append(outcomes)
        if len(found) == 4:
            # the latest try of those that are under way
            killed = processes_of(tmp_path)[-1]
            os.kill(killed, signal.SIGKILL)
    assert said(by_key(found)) == said(by_key(LocalEngine().run(Squares(), batches(48, 3))))
    processes = processes_of(tmp_path)
    assert killed in processes
    # the one that was killed, the other, and the one that came for it, unless on a busy machine the other was done before
    assert len(set(processes)) in (2, 3)
    assert all_end(processes)


def test_a_worker_that_cannot_be_made_ends_the_run_at_once(one, monkeypatch):
    monkeypatch.setattr(dispatch, "STARTS", 2)
    for make, why in (
        (cannot_be_made, r"^no worker can be made: FileNotFoundError: No such file or directory \(weights\)"),
        (dies_while_made, f"^no worker can be made: {dispatch.LOST}; 2 in a row"),
        (partial(print, threading.Lock()), "^no worker can be made: its maker cannot be sent to another process: TypeError"),
    ):
        with pytest.raises(BadInput, match=why) as error:
            list(one.run(make, batches(4, 2)))
        assert "\n" not in str(error.value)


def test_workers_that_die_on_everything_end_the_run(one, monkeypatch):
    monkeypatch.setattr(dispatch, "DEATHS", 2)
    with pytest.raises(BadInput, match=r"2 workers were lost one after another with nothing finished between"):
        list(one.run(Squares(kills=tuple(range(8))), batches(8, 1)))


def test_a_worker_loads_what_its_own_work_needs(one):
    """Whatever this process has loaded: nnsight adds a method to every class, actors among them, and would go along with it."""
    importlib.import_module("nnsight")
    found = by_key(one.run(imported, [dispatch.Batch(("a", "b", "c"), ("nnsight", "torch", "analysis.engine.actor"))]))
    assert [found[key].result for key in "abc"] == [False, False, True]


def test_what_cannot_cross_processes_fails_alone(one):
    lock = threading.Lock()
    found = by_key(one.run(Squares(), [dispatch.Batch(("a", "b"), (2, lock)), dispatch.Batch(("c",), (3,))]))
    assert said(found)["a"] == (4, "")
    assert found["b"].error.startswith("TypeError: ")
    assert said(found)["c"] == (9, "")
    found = by_key(one.run(unpicklable_results, batches(3, 3)))
    assert [(found[str(i)].error == "") for i in range(3)] == [True, True, False]


def test_few_batches_are_held_and_a_reader_that_fails_loses_none(one):
    taken = []

    def source(ends):
        for batch in batches(40, 2):
            if len(taken) == ends:
                raise BadInput("line 13: not JSON.")
            taken.append(batch)
            yield batch

    done, ahead = 0, []
    for _ in one.run(Squares(), source(-1)):
        ahead.append(len(taken) - done)
        done += 1
    assert done == 20
    assert max(ahead) <= 2 * 1 + 1
    taken.clear()
    found = []
    with pytest.raises(BadInput, match="line 13"):
        found.extend(key for outcomes in one.run(Squares(), source(7)) for key in (outcome.key for outcome in outcomes))
    assert sorted(map(int, found)) == list(range(14)), "what was read before is finished"


def test_two_interrupts_end_at_once(one, tmp_path, monkeypatch):
    heard, sent, usual = [], [], Interrupt._heard

    def hear(self, *given):
        heard.append(1)
        usual(self, *given)

    def interrupt():
        until(lambda: list(tmp_path.iterdir()))
        for number in (1, 2):
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
            until(lambda number=number: len(heard) == number)  # two before the program looks would be heard as one

    monkeypatch.setattr(Interrupt, "_heard", hear)
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(one.run(Squares(seconds=2 * PATIENCE, folder=tmp_path), batches(4, 1)))
    assert time.monotonic() - sent[1] < PATIENCE, "nobody waited for the batches"
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    assert all_end(processes_of(tmp_path))


def test_room_is_counted_and_told(ray):
    with pytest.raises(BadInput, match="a worker needs 3 CPUs, which no node of the cluster has"):
        list(RayEngine(workers=1, threads=3).run(Squares(), batches(2, 1)))
    with pytest.raises(BadInput, match="a worker needs 1 CPUs and 1 GPUs"):
        list(RayEngine(gpus_per_worker=1).run(Squares(), batches(2, 1)))
    with pytest.warns(Notice, match="room for 1 workers of 2 CPUs; the others of 2 wait for room"):
        assert len(by_key(RayEngine(workers=2, threads=2).run(Squares(), batches(6, 1)))) == 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(RayEngine().run(Squares(), [])) == []


ELSEWHERE = """
    import sys
    from analysis.engine import engine
    from tests.analysis.engine.workers import Squares, batches, by_key
    found = by_key(engine("ray", address=sys.argv[1], workers=1).run(Squares(), batches(6, 2)))
    print(*(one.result for one in found.values()))
"""


def test_a_running_cluster_is_joined_and_left_running(ray):
    words = [sys.executable, "-W", "error", "-c", textwrap.dedent(ELSEWHERE), ray.get_runtime_context().gcs_address]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr, done.returncode) == ("0 1 4 9 16 25\n", "", 0)
    assert ray.is_initialized(), "whoever was connected before stays so"
    assert ray.get(ray.put("here")) == "here"


PROGRAM = """
    import sys
    from pathlib import Path
    from analysis.engine import engine
    from tests.analysis.engine.workers import Squares, batches
    try:
        for outcomes in engine("ray", workers=2).run(Squares(until=Path(sys.argv[2]), folder=Path(sys.argv[1])), batches(400, 2)):
            print(*(outcome.key for outcome in outcomes), flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_a_ray_that_is_not_ready_in_time_says_so_in_a_line():
    """Without any time to start, as on a machine that is too busy for the time there is."""
    code = textwrap.dedent(PROGRAM).replace("KeyboardInterrupt", "BadInput as error").replace('"interrupted"', "error")
    words = [sys.executable, "-c", f"from probes.command.cli import BadInput\n{code}", "nowhere", "nowhere"]
    hurried = os.environ | {"RAY_gcs_server_port_wait_time_s": "0"}
    with started(words, env=hurried) as process:
        said, told = process.communicate(timeout=PATIENCE)
    (line,) = said.splitlines()
    assert re.fullmatch(r"Ray cannot be started on this machine: it was not ready in time; wait until .* seconds; --engine local .*", line)
    assert told == ""
    assert until(lambda: not of_session(process.pid))


def test_ray_is_given_more_time_unless_the_environment_says_how_much(monkeypatch):
    first, second = cluster.PATIENT
    monkeypatch.setenv(first, "7")
    monkeypatch.delenv(second, raising=False)
    with cluster._settings():
        assert (os.environ[first], os.environ[second]) == ("7", "300")
    assert (os.environ[first], second in os.environ) == ("7", False)
    folder = Path(importlib.util.find_spec("ray").origin).parent
    known = (folder / "_private" / "node.py").read_bytes() + (folder / "_raylet.so").read_bytes()
    assert all(name.encode() in known for name in cluster.PATIENT), "of another Ray"


def test_an_interrupt_keeps_what_is_under_way_and_leaves_no_process(tmp_path):
    (tmp_path / "tries").mkdir()
    with started([sys.executable, "-c", textwrap.dedent(PROGRAM), tmp_path / "tries", tmp_path / "go"]) as process:
        # each worker holds one batch and waits there
        until(lambda: len(set(processes_of(tmp_path / "tries"))) == 2, process)
        os.killpg(process.pid, signal.SIGINT)
        (tmp_path / "go").touch()
        said, told = process.communicate(timeout=PATIENCE)
    *lines, last = said.splitlines()
    assert last == "interrupted", told
    assert told == ""
    begun = [path.name.split("-")[0] for path in (tmp_path / "tries").iterdir()]
    assert sorted(line.split()[0] for line in lines) == sorted(begun) == ["0", "2"], "what was begun was finished, and nothing else"
    assert until(lambda: not of_session(process.pid))
    assert all_end(processes_of(tmp_path / "tries"))
