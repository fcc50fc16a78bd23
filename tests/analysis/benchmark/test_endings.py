"""However a run ends, what is finished stays, and going on gives what an undisturbed run gives; engines agree."""

import json
import os
import shutil
import signal

import pytest

from analysis.benchmark.command import perform
from analysis.benchmark.config import BenchmarkConfig
from tests.analysis.benchmark.braked import braked
from tests.analysis.resamples import few
from tests.analysis.sketches import unwritten
from tests.forked import forked
from tests.processes import until

SMALL = {"images": 6, "batch_size": 2, "max_new_tokens": 6, "mode": "bundled", "fluent": 0}
OPTIONS = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def lines(out, method="baseline"):
    path = out / "captions" / f"{method}.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def said(out, method):
    found = [json.loads(line) for line in (out / "captions" / f"{method}.jsonl").read_text().splitlines()]
    assert len({line["key"] for line in found}) == len(found), "nothing is there twice"
    return {line["key"]: (line["caption"], line["tokens"], line["batch"], line.get("rate")) for line in found}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    with few(), unwritten():
        perform(BenchmarkConfig(**SMALL, out=out))
    return out


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Folders of a run that was killed as its second batch began, and of one that was interrupted there."""
    folder = tmp_path_factory.mktemp("ended")
    out, killed, there, go = (folder / name for name in ("interrupt", "kill", "there", "go"))
    with forked(braked, there, go, [*OPTIONS, "--out", str(out)], said=folder / "said") as process:
        until(there.exists, process)
        assert lines(out) == 2, "what a batch gave is written before the next one begins"
        shutil.copytree(out, killed)  # what lies on the disk is all that kill -9 leaves
        os.killpg(process.pid, signal.SIGINT)
        go.touch()
        status, told = process.ended()
    assert status == 130, told
    assert told.strip().splitlines()[-1].endswith("interrupted; what it has written is kept, the same command goes on from it.")
    assert lines(out) == 4, "the batch under way was finished"
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["interrupt", "kill"])
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_a_run_that_ended_goes_on_to_the_same_answers(ended, undisturbed, ending):
    out = ended / ending
    kept = (out / "captions" / "baseline.jsonl").read_bytes()
    perform(BenchmarkConfig(**SMALL, out=out))
    assert (out / "captions" / "baseline.jsonl").read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    for method in ("baseline", "kvsmooth"):
        assert said(out, method) == said(undisturbed, method)
    results = [json.loads((folder / "chair" / "benchmark.json").read_text())["results"] for folder in (out, undisturbed)]
    assert results[0] == results[1]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_a_ray_cluster_gives_the_answers_of_this_process(tmp_path, undisturbed):
    out = tmp_path / "out"
    perform(BenchmarkConfig(**SMALL, out=out, engine="ray", workers=1, methods=("baseline",)))
    assert said(out, "baseline") == said(undisturbed, "baseline")
