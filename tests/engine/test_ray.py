"""Batches on a Ray cluster of this machine: equal to this process, whatever happens to the workers."""

import os
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
from probes.cli import BadInput, Notice
from tests.engine.workers import Squares, batches, by_key, cannot_be_made, dies_while_made, unpicklable_results

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
    """Where every worker ends, one at a time will do: each takes seconds to start."""
    return RayEngine(workers=1)


def said(found):
    return {key: (outcome.result, outcome.error) for key, outcome in found.items()}


def alive(process):
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_end(processes, seconds=5.0):
    """Whether no process of these is left within the seconds: on a cluster that goes on, one is told to end, not waited for."""
    until = time.monotonic() + seconds
    while any(map(alive, processes)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, processes))


def test_items_that_raise_or_break_or_kill_are_set_aside_and_no_other(two):
    bad = {"raises": (3,), "damages": (9,)}
    found = by_key(two.run(Squares(**bad, kills=(14,)), iter(batches(24, 4))))
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
            killed = int(max(tmp_path.iterdir(), key=lambda path: path.name.rpartition("-")[2]).name.split("-")[2])
            os.kill(killed, signal.SIGKILL)
    assert said(by_key(found)) == said(by_key(LocalEngine().run(Squares(), batches(48, 3))))
    processes = {path.name.split("-")[2] for path in tmp_path.iterdir()}
    assert str(killed) in processes
    # the one that was killed, the other, and the one that came for it, unless on a busy machine the other was done before
    assert len(processes) in (2, 3)
    assert all_end(processes)


def test_a_worker_that_cannot_be_made_ends_the_run_at_once(one):
    for make, why in (
        (cannot_be_made, r"^no worker can be made: FileNotFoundError: No such file or directory \(weights\)"),
        (dies_while_made, f"^no worker can be made: {dispatch.LOST}; 3 in a row"),
        (partial(print, threading.Lock()), "^no worker can be made: its maker cannot be sent to another process: TypeError"),
    ):
        with pytest.raises(BadInput, match=why) as error:
            list(one.run(make, batches(4, 2)))
        assert "\n" not in str(error.value)


def test_workers_that_die_on_everything_end_the_run(one, monkeypatch):
    monkeypatch.setattr(dispatch, "DEATHS", 3)
    with pytest.raises(BadInput, match=r"3 workers were lost one after another with nothing finished between"):
        list(one.run(Squares(kills=tuple(range(8))), batches(8, 1)))


def test_what_cannot_cross_processes_fails_alone(two):
    lock = threading.Lock()
    found = by_key(two.run(Squares(), [dispatch.Batch(("a", "b"), (2, lock)), dispatch.Batch(("c",), (3,))]))
    assert said(found)["a"] == (4, "")
    assert found["b"].error.startswith("TypeError: ")
    assert said(found)["c"] == (9, "")
    found = by_key(two.run(unpicklable_results, batches(3, 3)))
    assert [(found[str(i)].error == "") for i in range(3)] == [True, True, False]


def test_few_batches_are_held_and_a_reader_that_fails_loses_none(two):
    taken = []

    def source(ends):
        for batch in batches(40, 2):
            if len(taken) == ends:
                raise BadInput("line 13: not JSON.")
            taken.append(batch)
            yield batch

    done, ahead = 0, []
    for _ in two.run(Squares(), source(-1)):
        ahead.append(len(taken) - done)
        done += 1
    assert done == 20
    assert max(ahead) <= 2 * 2 + 1
    taken.clear()
    found = []
    with pytest.raises(BadInput, match="line 13"):
        found.extend(key for outcomes in two.run(Squares(), source(7)) for key in (outcome.key for outcome in outcomes))
    assert sorted(map(int, found)) == list(range(14)), "what was read before is finished"


def test_two_interrupts_end_at_once(two, tmp_path):
    def interrupt():
        while not list(tmp_path.iterdir()):
            time.sleep(0.05)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1.0)  # two within one wait of Ray's would be heard as one

    before, begun = signal.getsignal(signal.SIGINT), time.monotonic()
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(two.run(Squares(seconds=60, folder=tmp_path), batches(4, 1)))
    thread.join()
    assert time.monotonic() - begun < 40, "nobody waited for the batches"
    assert signal.getsignal(signal.SIGINT) is before
    assert all_end({path.name.split("-")[2] for path in tmp_path.iterdir()})


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
    from tests.engine.workers import Squares, batches, by_key
    found = by_key(engine("ray", address=sys.argv[1], workers=1).run(Squares(), batches(6, 2)))
    print(*(one.result for one in found.values()))
"""


def test_a_running_cluster_is_joined_and_left_running(ray, two):
    words = [sys.executable, "-W", "error", "-c", textwrap.dedent(ELSEWHERE), ray.get_runtime_context().gcs_address]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("0 1 4 9 16 25\n", "", 0)
    assert len(by_key(two.run(Squares(), batches(4, 2)))) == 4


PROGRAM = """
    import sys
    from pathlib import Path
    from analysis.engine import engine
    from tests.engine.workers import Squares, batches
    try:
        for outcomes in engine("ray", workers=2).run(Squares(seconds=0.9, folder=Path(sys.argv[1])), batches(400, 2)):
            print(*(outcome.key for outcome in outcomes), flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_an_interrupt_keeps_what_is_under_way_and_leaves_no_process(tmp_path):
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    words = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)]
    process = subprocess.Popen(words, **pipes, start_new_session=True, preexec_fn=heard)
    try:
        first = process.stdout.readline()
        time.sleep(0.2)  # into the next batch
        os.killpg(process.pid, signal.SIGINT)
        rest, told = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    lines = [first.strip(), *rest.strip().splitlines()]
    assert lines[-1] == "interrupted", told
    assert told == ""
    begun = {path.name.split("-")[0] for path in tmp_path.iterdir()}
    assert {line.split()[0] for line in lines[:-1]} == begun, "what was begun was finished"
    assert len(begun) < 20
    assert not [path for path in Path("/proc").glob("[0-9]*") if _of_session(path, process.pid)]
    assert all_end({path.name.split("-")[2] for path in tmp_path.iterdir()})


def _of_session(path, session):
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z" and int(fields[3]) == session
