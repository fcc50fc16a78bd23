"""However a run ends, what is finished stays, and going on gives what an undisturbed run gives; engines agree."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from analysis.benchmark.command import perform
from analysis.benchmark.config import BenchmarkConfig

SMALL = {"images": 8, "batch_size": 2, "max_new_tokens": 60, "mode": "bundled"}
OPTIONS = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]
WORDS = [sys.executable, "-m", "analysis.benchmark", *OPTIONS]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@contextlib.contextmanager
def started(out):
    """The command as a process of its own, with interrupts heard: a child of a job in the background inherits that they are ignored."""
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen([*WORDS, "--out", str(out)], **PIPES, start_new_session=True, preexec_fn=heard)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def lines(out, method="baseline"):
    path = out / "captions" / f"{method}.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def said(out, method):
    found = [json.loads(line) for line in (out / "captions" / f"{method}.jsonl").read_text().splitlines()]
    assert len({line["key"] for line in found}) == len(found), "nothing is there twice"
    return {line["key"]: (line["caption"], line["tokens"], line["batch"], line.get("rate")) for line in found}


def wait_for_a_line(out, process):
    until = time.monotonic() + 120
    while not lines(out) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    assert lines(out), "nothing was answered in two minutes"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    perform(BenchmarkConfig(**SMALL, out=out))
    return out


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["interrupt", "kill"])
def test_a_run_that_ended_goes_on_to_the_same_answers(tmp_path, undisturbed, ending):
    out = tmp_path / "out"
    with started(out) as process:
        wait_for_a_line(out, process)
        os.killpg(process.pid, signal.SIGINT if ending == "interrupt" else signal.SIGKILL)
        _, told = process.communicate(timeout=120)
    if ending == "interrupt" and process.returncode != 0:  # on a quick machine it may have been done before
        assert process.returncode == 130, told
        assert told.strip().splitlines()[-1].endswith("interrupted; finished work is kept, the same command goes on from it.")
    kept = (out / "captions" / "baseline.jsonl").read_bytes()
    perform(BenchmarkConfig(**SMALL, out=out))
    assert (out / "captions" / "baseline.jsonl").read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    for method in ("baseline", "kvsmooth"):
        assert said(out, method) == said(undisturbed, method)
    results = [json.loads((folder / "chair" / "benchmark.json").read_text())["results"] for folder in (out, undisturbed)]
    assert results[0] == results[1]


@pytest.mark.slow
def test_a_ray_cluster_gives_the_answers_of_this_process(tmp_path, undisturbed):
    out = tmp_path / "out"
    perform(BenchmarkConfig(**SMALL, out=out, engine="ray", workers=1, methods=("baseline",)))
    assert said(out, "baseline") == said(undisturbed, "baseline")
